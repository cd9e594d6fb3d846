import { type Durability, decodeSamples, type WriteFate } from "@mon/store";
import type { ReadBatch } from "./batch.ts";
import { durabilityOrder, type Outcome, type Refusal } from "./outcome.ts";
import type { Rejection } from "./reason.ts";

/** Who is told the fates of a list of fragments. */
export interface Settler {
  /** Tells the fate of the fragment at `index`; once for each. */
  settle(index: number, fate: WriteFate): void;
}

/** A batch on its way: collects the fates of its reports and resolves when the last is known. */
export class Ticket implements Settler {
  readonly #batch: Omit<ReadBatch, "timestampsConverted">;
  /** Samples beyond a host's limit of series. */
  readonly #beyondLimit: Rejection[] = [];
  readonly #refusals: Refusal[] = [];
  readonly #resolve: (outcome: Outcome) => void;
  #open: number;
  #reportsStored = 0;
  #samplesStored = 0;
  #durability: Durability | undefined;
  #copies = 0;
  #retryDelayMs = 0;

  constructor(batch: Omit<ReadBatch, "timestampsConverted">, resolve: (outcome: Outcome) => void) {
    this.#batch = batch;
    this.#open = batch.reportIndexes.length;
    this.#resolve = resolve;
    if (this.#open === 0) this.#finish();
  }

  /** Tells the fate of the batch's fragment at `index`; once for each. */
  settle(index: number, fate: WriteFate): void {
    const refused = fate.status === "retry" ? undefined : fate.refusedSamples;
    if (refused !== undefined) this.#reject(index, refused);
    if (fate.status === "stored") {
      this.#reportsStored++;
      this.#samplesStored += this.#batch.sampleCounts[index]! - (refused?.length ?? 0);
      this.#durability = weaker(this.#durability, fate.durability);
      this.#copies = this.#reportsStored === 1 ? fate.copies : Math.min(this.#copies, fate.copies);
    } else if (refused === undefined) {
      // A store rejects only what intake should not have let through; sending it again does no harm and gets an answer.
      this.#refusals.push({ reportIndex: this.#batch.reportIndexes[index]!, message: fate.reason });
      const delayMs = fate.status === "retry" ? fate.retryDelayMs : 1_000;
      this.#retryDelayMs = Math.max(this.#retryDelayMs, delayMs);
    }
    if (--this.#open === 0) this.#finish();
  }

  /** Rejects samples of a fragment, given by their places in its bytes, for the host has no room for their series. */
  #reject(index: number, refused: readonly number[]): void {
    const { fragments, reportIndexes, places } = this.#batch;
    const { hostId, bytes } = fragments[index]!;
    const samples = decodeSamples(bytes);
    const reportIndex = reportIndexes[index]!;
    for (const place of refused) {
      const sampleIndex = places[index]?.[place] ?? place;
      this.#beyondLimit.push({
        reportIndex,
        sampleIndex,
        hostId,
        name: samples[place]!.name.slice(0, 128),
        reason: "series_limit",
        field: `reports[${reportIndex}].samples[${sampleIndex}]`,
        message: "expected a series that the host has or has room for, got one beyond its limit",
      });
    }
  }

  #finish(): void {
    this.#resolve({
      reportsStored: this.#reportsStored,
      samplesStored: this.#samplesStored,
      durability: this.#durability,
      copies: this.#copies,
      rejections: this.#rejections(),
      refusals: this.#refusals,
      retryDelayMs: this.#retryDelayMs,
    });
  }

  /** In the order of the batch. */
  #rejections(): readonly Rejection[] {
    const { rejections } = this.#batch;
    if (this.#beyondLimit.length === 0) return rejections;
    return [...rejections, ...this.#beyondLimit].sort(
      (a, b) => a.reportIndex - b.reportIndex || (a.sampleIndex ?? -1) - (b.sampleIndex ?? -1),
    );
  }
}

function weaker(a: Durability | undefined, b: Durability): Durability {
  if (a === undefined || a === b) return b;
  return durabilityOrder.indexOf(a) < durabilityOrder.indexOf(b) ? a : b;
}
