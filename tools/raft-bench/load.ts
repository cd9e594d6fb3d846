import { setTimeout as delay } from "node:timers/promises";
import { percentile } from "../bench/percentile.ts";
import { FieldWriter } from "../raft-service/protobuf.ts";
import type { Door } from "./doors.ts";

/** Of each value. */
export const valueBytes = 256;
/** Keys that are written, in turn. */
const keyCount = 10_000;
/** Before a client tries again whose put failed. */
const retryMs = 5;

/** What clients got through. */
export interface LoadResult {
  readonly puts: number;
  readonly failed: number;
  readonly seconds: number;
  readonly p50Ms: number;
  readonly p99Ms: number;
  /** Processor time of this process. */
  readonly clientCpuSeconds: number;
}

/** Lets so many clients put, each its next value when the one before is acknowledged. */
export async function runLoad(door: Door, clients: number, seconds: number): Promise<LoadResult> {
  const puts = putRequests;
  const latencies: number[] = [];
  let failed = 0;
  let next = 0;
  const cpu = process.cpuUsage();
  const beganMs = performance.now();
  const endMs = beganMs + seconds * 1_000;
  const client = (): Promise<void> => {
    const { promise, resolve } = Promise.withResolvers<void>();
    let sentMs = beganMs;
    const put = (): void => door.put(puts[next++ % keyCount]!, done);
    const done = (ok: boolean): void => {
      const nowMs = performance.now();
      if (ok) latencies.push(nowMs - sentMs);
      else failed++;
      if (nowMs >= endMs) {
        resolve();
      } else if (ok) {
        sentMs = nowMs;
        put();
      } else {
        void delay(retryMs).then(() => {
          sentMs = performance.now();
          put();
        });
      }
    };
    put();
    return promise;
  };
  await Promise.all(Array.from({ length: clients }, client));
  const elapsedMs = performance.now() - beganMs;
  const { user, system } = process.cpuUsage(cpu);
  const sorted = Float64Array.from(latencies).sort();
  return {
    puts: sorted.length,
    failed,
    seconds: elapsedMs / 1_000,
    p50Ms: percentile(sorted, 0.5),
    p99Ms: percentile(sorted, 0.99),
    clientCpuSeconds: (user + system) / 1e6,
  };
}

/** etcd's `PutRequest`, and the service's `Put`. */
export function putRequest(key: string): Uint8Array {
  const writer = new FieldWriter(32 + valueBytes);
  writer.bytes(1, Buffer.from(key));
  writer.bytes(2, Buffer.alloc(valueBytes, 0x5a));
  return writer.finish();
}

const putRequests: readonly Uint8Array[] = Array.from({ length: keyCount }, (_, at) =>
  putRequest(`key-${at}`),
);
