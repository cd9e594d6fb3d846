import { getPriority, setPriority } from "node:os";
import { Worker } from "node:worker_threads";

/** The workers' files beside this one, from source or built. */
const isSource = import.meta.url.endsWith(".ts");
/** Flags that say how this program began would not let a worker begin; those that say what is imported must hold. */
const execArgv = isSource
  ? ["--conditions=@mon/source"]
  : process.execArgv.filter((flag) => flag.startsWith("--conditions="));

/** What a thread is told when it starts. */
export interface WorkerStart {
  /** Whether threads that serve go before it. */
  readonly isBackground: boolean;
}

/** Starts a thread of this package. It keeps the process alive until it is told not to. */
export function startWorker(name: "chunk-worker" | "decode-worker", start: WorkerStart): Worker {
  const url = new URL(`./${name}.${isSource ? "ts" : "js"}`, import.meta.url);
  return new Worker(url, { execArgv, workerData: start });
}

/** How much a thread in the background stands back: it gets a third of what another gets, where both want a processor. */
const niceness = 5;

/** To be called in a thread as it begins. */
export function takePlace({ isBackground }: WorkerStart): void {
  // On Linux niceness is a thread's, elsewhere the whole process would stand back.
  if (!isBackground || process.platform !== "linux") return;
  // Whoever stands back further already may not come forward again.
  if (getPriority() < niceness) setPriority(niceness);
}
