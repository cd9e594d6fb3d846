import { Worker } from "node:worker_threads";
import type { SimulationResult } from "@mon/raft/testing";

/** Which runs to do. */
export interface FleetOptions {
  readonly first: number;
  readonly seeds: number;
  readonly steps: number;
  /** Machines of a run: the item at its seed modulo the length. */
  readonly nodes: readonly number[];
  readonly workers: number;
}

/** What one thread gets: every `stride`th seed. */
export interface FleetTask extends Omit<FleetOptions, "workers"> {
  readonly stride: number;
}

/** A run that ended, without what its seed gives. */
export interface SimulatedRun extends Omit<SimulationResult, "faults" | "profile" | "traceHash"> {
  readonly nodes: number;
}

/** Runs under way on several threads. */
export interface Fleet {
  /** Resolves when all runs ended; rejects when a thread dies. */
  readonly done: Promise<void>;
  /** Begins no more runs; those under way end first. Idempotent. */
  stop(): void;
}

/** Simulates seeds on several threads, each its share. */
export function startFleet(options: FleetOptions, onRun: (run: SimulatedRun) => void): Fleet {
  const { first, seeds, workers: count, ...rest } = options;
  const workers = Array.from({ length: Math.min(count, seeds) }, (_, at) => {
    const workerData: FleetTask = { ...rest, first: first + at, seeds: seeds - at, stride: count };
    return new Worker(new URL("worker.ts", import.meta.url), { workerData });
  });
  const ends = workers.map(
    (worker) =>
      new Promise<void>((resolve, reject) => {
        worker
          .on("message", onRun)
          .on("error", reject)
          .on("exit", () => resolve());
      }),
  );
  const stop = (): void => {
    for (const worker of workers) worker.postMessage("stop");
  };
  const done = Promise.all(ends).then(
    () => undefined,
    (error) => {
      stop();
      throw error;
    },
  );
  return { done, stop };
}
