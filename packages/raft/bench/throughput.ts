import type { RaftNode } from "@mon/raft";
import { MemoryCluster } from "./memory-cluster.ts";

/** Of each entry. */
export const dataBytes = 256;

/** What a number of concurrent proposers got through. */
export interface Throughput {
  readonly proposers: number;
  readonly perSecond: number;
  /** Processor time of the process, all its threads, for an entry. */
  readonly cpuUs: number;
  /** From `propose` to its result. */
  readonly p50Us: number;
  readonly p99Us: number;
}

/** Lets so many proposers propose, each its next entry when the one before is applied. */
export async function measureThroughput(proposers: number, seconds: number): Promise<Throughput> {
  await using cluster = await MemoryCluster.start();
  await proposeFor(cluster.leader, proposers, Math.min(1, seconds / 2));
  const cpu = process.cpuUsage();
  const beganMs = performance.now();
  const latencies = await proposeFor(cluster.leader, proposers, seconds);
  const elapsedMs = performance.now() - beganMs;
  const { user, system } = process.cpuUsage(cpu);
  latencies.sort((a, b) => a - b);
  const at = (share: number): number => 1_000 * latencies[Math.floor(share * (latencies.length - 1))]!;
  return {
    proposers,
    perSecond: (1_000 * latencies.length) / elapsedMs,
    cpuUs: (user + system) / latencies.length,
    p50Us: at(0.5),
    p99Us: at(0.99),
  };
}

/** @returns the milliseconds that each proposal took */
async function proposeFor(node: RaftNode<number>, proposers: number, seconds: number): Promise<number[]> {
  const latencies: number[] = [];
  const endMs = performance.now() + seconds * 1_000;
  const proposer = async (): Promise<void> => {
    for (let beganMs = performance.now(); beganMs < endMs; ) {
      await node.propose(new Uint8Array(dataBytes));
      const nowMs = performance.now();
      latencies.push(nowMs - beganMs);
      beganMs = nowMs;
    }
  };
  await Promise.all(Array.from({ length: proposers }, proposer));
  return latencies;
}
