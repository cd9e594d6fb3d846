/** The thread in which chunks are made, so that the thread that serves is never held up. It has no files open. */
import { parentPort, workerData } from "node:worker_threads";
import { type PackOutcome, pack } from "./packing.ts";
import { settlementOf } from "./settlement.ts";
import type { WorkerAnswer, WorkerRequest } from "./worker-messages.ts";
import { takePlace } from "./worker-thread.ts";

if (parentPort === null) throw new Error("expected to run in a worker thread");
const port = parentPort;
takePlace(workerData);

/** What is left of the generation that is being settled. */
let batches: ReturnType<typeof settlementOf> | undefined;

port.on("message", (request: WorkerRequest) => {
  try {
    answer(request);
  } catch (error) {
    send({ kind: "failed", reason: error instanceof Error ? (error.stack ?? error.message) : String(error) });
  }
});

function answer(request: WorkerRequest): void {
  switch (request.kind) {
    case "settle":
      batches = settlementOf(request.generation);
      sendNextBatch();
      return;
    case "next":
      sendNextBatch();
      return;
    case "pack":
      sendOutcome(pack(request.request));
      return;
    case "end":
      port.close();
      return;
    default:
      request satisfies never;
  }
}

function sendNextBatch(): void {
  if (batches === undefined) throw new Error("expected a generation before the next batch");
  const next = batches.next();
  if (next.done === true) {
    batches = undefined;
    send({ kind: "settled", fragments: next.value });
  } else send({ kind: "batch", batch: next.value }, [next.value.bytes.buffer, next.value.ends.buffer]);
}

function sendOutcome(outcome: PackOutcome): void {
  send({ kind: "outcome", outcome }, outcome.kind === "packed" ? [outcome.value.buffer] : []);
}

function send(message: WorkerAnswer, transferred: readonly ArrayBufferLike[] = []): void {
  port.postMessage(message, transferred as ArrayBuffer[]);
}
