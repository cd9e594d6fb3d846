import type { Durability, WriteFate } from "@mon/store";
import { durabilityOrder, type Outcome, type Refusal } from "./outcome.ts";
import type { Rejection } from "./reason.ts";

/** A batch on its way: collects the fates of its reports and resolves when the last is known. */
export class Ticket {
  readonly #rejections: readonly Rejection[];
  readonly #refusals: Refusal[] = [];
  readonly #resolve: (outcome: Outcome) => void;
  readonly #sampleCounts: readonly number[];
  readonly #reportIndexes: readonly number[];
  #open: number;
  #reportsStored = 0;
  #samplesStored = 0;
  #durability: Durability | undefined;
  #copies = 0;
  #retryDelayMs = 0;

  constructor(
    batch: {
      rejections: readonly Rejection[];
      reportIndexes: readonly number[];
      sampleCounts: readonly number[];
    },
    resolve: (outcome: Outcome) => void,
  ) {
    this.#rejections = batch.rejections;
    this.#reportIndexes = batch.reportIndexes;
    this.#sampleCounts = batch.sampleCounts;
    this.#open = batch.reportIndexes.length;
    this.#resolve = resolve;
    if (this.#open === 0) this.#finish();
  }

  /** Tells the fate of the batch's fragment at `index`; once for each. */
  settle(index: number, fate: WriteFate): void {
    if (fate.status === "stored") {
      this.#reportsStored++;
      this.#samplesStored += this.#sampleCounts[index]!;
      this.#durability = weaker(this.#durability, fate.durability);
      this.#copies = this.#reportsStored === 1 ? fate.copies : Math.min(this.#copies, fate.copies);
    } else {
      // A store rejects only what intake should not have let through; sending it again does no harm and gets an answer.
      this.#refusals.push({ reportIndex: this.#reportIndexes[index]!, message: fate.reason });
      const delayMs = fate.status === "retry" ? fate.retryDelayMs : 1_000;
      this.#retryDelayMs = Math.max(this.#retryDelayMs, delayMs);
    }
    if (--this.#open === 0) this.#finish();
  }

  #finish(): void {
    this.#resolve({
      reportsStored: this.#reportsStored,
      samplesStored: this.#samplesStored,
      durability: this.#durability,
      copies: this.#copies,
      rejections: this.#rejections,
      refusals: this.#refusals,
      retryDelayMs: this.#retryDelayMs,
    });
  }
}

function weaker(a: Durability | undefined, b: Durability): Durability {
  if (a === undefined || a === b) return b;
  return durabilityOrder.indexOf(a) < durabilityOrder.indexOf(b) ? a : b;
}
