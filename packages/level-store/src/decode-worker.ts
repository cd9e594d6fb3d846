/** A thread in which blocks are decoded, so that the thread that serves is never held up. It has no files open. */
import { parentPort, workerData } from "node:worker_threads";
import { type DecodingStep, decodeBlock, KnownSeries } from "./block-decoding.ts";
import type { DecodeAnswer, DecodeRequest } from "./decode-messages.ts";
import { takePlace } from "./worker-thread.ts";

if (parentPort === null) throw new Error("expected to run in a worker thread");
const port = parentPort;
takePlace(workerData);

/** A block that is being decoded. */
interface Decoding {
  readonly read: number;
  readonly steps: Generator<DecodingStep, void, Int32Array | undefined>;
}

const reads = new Map<number, KnownSeries>();
const decodings = new Map<number, Decoding>();

port.on("message", (message: DecodeRequest) => {
  switch (message.kind) {
    case "block": {
      const { request, read, block } = message;
      const known = reads.get(read) ?? new KnownSeries();
      reads.set(read, known);
      decodings.set(request, { read, steps: decodeBlock(block, known) });
      advance(request, undefined);
      return;
    }
    case "numbers":
      advance(message.request, message.numbers);
      return;
    case "next":
      advance(message.request, undefined);
      return;
    case "forget":
      reads.delete(message.read);
      for (const [request, { read }] of decodings) if (read === message.read) decodings.delete(request);
      return;
    default:
      message satisfies never;
  }
});

function advance(request: number, numbers: Int32Array | undefined): void {
  try {
    const step = decodings.get(request)?.steps.next(numbers);
    if (step === undefined || step.done === true) throw new Error("expected a block that is being decoded");
    send(request, step.value);
  } catch (error) {
    decodings.delete(request);
    const reason = error instanceof Error ? (error.stack ?? error.message) : String(error);
    port.postMessage({ kind: "failed", request, reason } satisfies DecodeAnswer);
  }
}

function send(request: number, step: DecodingStep): void {
  if (step.kind === "unknown") {
    port.postMessage({ ...step, request } satisfies DecodeAnswer);
    return;
  }
  if (step.stretch.isLast) decodings.delete(request);
  port.postMessage({ ...step, request } satisfies DecodeAnswer, [step.stretch.columns]);
}
