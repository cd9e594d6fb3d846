import { Decimals } from "./decimals.ts";
import { Residuals } from "./residuals.ts";

/** Samples that memory is kept for from one column to the next; for longer ones it is made anew. */
const keptSamplesMax = 65_536;

/** A column being worked on, as numbers and as bits: JavaScript does not keep a NaN's payload in a number. */
class ColumnScratch {
  values: Float64Array = new Float64Array(64);
  /** The memory of `values`: two for each, the lower first. */
  words: Uint32Array = new Uint32Array(this.values.buffer);
  /** The memory of `values`. */
  bytes: Uint8Array = new Uint8Array(this.values.buffer);
  decimals: Decimals = new Decimals();
  residuals: Residuals = new Residuals();

  /** Makes room for so many samples, and lets go of what a long column before took. */
  hold(length: number): void {
    const capacity = this.values.length;
    if (length <= capacity && capacity <= keptSamplesMax) return;
    this.values = new Float64Array(Math.max(64, 2 ** Math.ceil(Math.log2(length))));
    this.words = new Uint32Array(this.values.buffer);
    this.bytes = new Uint8Array(this.values.buffer);
    this.decimals = new Decimals();
    this.residuals = new Residuals();
  }
}

/** One for all: a column is written or read in one go. */
export const scratch: ColumnScratch = new ColumnScratch();
