import { MemoryCluster } from "./memory-cluster.ts";
import { dataBytes } from "./throughput.ts";

/** What an entry costs when the log is so long. */
export interface Stage {
  readonly entries: number;
  readonly cpuUs: number;
  readonly perSecond: number;
}

/** Proposals that wait at once. */
const proposers = 256;
/** Fewer entries than this take too little time to be told from noise. */
const measuredMin = 50_000;

/**
 * What it costs to fill logs that are never compacted to each power of ten from 1,000 on; short ones in as many clusters as it
 * takes to see something.
 */
export async function measureGrowth(most: number): Promise<Stage[]> {
  await fill(100_000); // So that the first stage does not pay for compilation.
  const stages: Stage[] = [];
  for (let entries = 1_000; entries <= most; entries *= 10) {
    let cpuUs = 0;
    let ms = 0;
    let measured = 0;
    for (; measured < measuredMin; measured += entries) {
      const filled = await fill(entries);
      cpuUs += filled.cpuUs;
      ms += filled.ms;
    }
    stages.push({ entries, cpuUs: cpuUs / measured, perSecond: (1_000 * measured) / ms });
  }
  return stages;
}

async function fill(entries: number): Promise<{ readonly cpuUs: number; readonly ms: number }> {
  // A quick election, as there are many; nobody falls silent for as long as this.
  const times = { tickMs: 10, heartbeatMs: 10, electionTimeoutMs: 100, checkQuorum: false };
  await using cluster = await MemoryCluster.start({ snapshotEveryEntries: 0, ...times });
  let proposed = 0;
  const proposer = async (): Promise<void> => {
    while (proposed < entries) {
      proposed++;
      await cluster.leader.propose(new Uint8Array(dataBytes));
    }
  };
  const cpu = process.cpuUsage();
  const beganMs = performance.now();
  await Promise.all(Array.from({ length: proposers }, proposer));
  const { user, system } = process.cpuUsage(cpu);
  return { cpuUs: user + system, ms: performance.now() - beganMs };
}
