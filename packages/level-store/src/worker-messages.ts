import type { PackOutcome, PackRequest } from "./packing.ts";
import type { ClosedGeneration, RecordBatch } from "./settlement.ts";

/** What the worker is told. A generation is `settle`, and then `next` until it answers `settled`, or no more. */
export type WorkerRequest =
  | { readonly kind: "settle"; readonly generation: ClosedGeneration }
  | { readonly kind: "next" }
  | { readonly kind: "pack"; readonly request: PackRequest }
  | { readonly kind: "end" };

/** What it answers: one for each request, but none to `end`. */
export type WorkerAnswer =
  | { readonly kind: "batch"; readonly batch: RecordBatch }
  /** There are no more batches; so many fragments were in them. */
  | { readonly kind: "settled"; readonly fragments: number }
  | { readonly kind: "outcome"; readonly outcome: PackOutcome }
  | { readonly kind: "failed"; readonly reason: string };
