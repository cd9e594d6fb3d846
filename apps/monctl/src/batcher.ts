import { toBinary } from "@bufbuild/protobuf";
import { type Report, ReportSchema } from "@mon/proto";

/** A report and where it came from. */
export interface PlacedReport {
  place: string;
  report: Report;
}

/** What a batch may hold at most; a single report beyond it still makes a batch, which the broker refuses by name. */
export const batchLimits: { readonly reports: number; readonly samples: number; readonly bytes: number } =
  Object.freeze({
    reports: 500,
    samples: 10_000,
    bytes: 3_500_000,
  });

/** Cuts reports into batches within {@link batchLimits}, in order. Holds one batch. */
export class Batcher {
  #batch: PlacedReport[] = [];
  #samples = 0;
  #bytes = 0;

  /** Takes a report in; hands back the batch that was full without it, if so. */
  add(placed: PlacedReport): PlacedReport[] | undefined {
    const samples = placed.report.samples.length;
    // The tag and the length of a report in its batch take at most six bytes.
    const bytes = toBinary(ReportSchema, placed.report).length + 6;
    const full =
      this.#batch.length === batchLimits.reports ||
      this.#samples + samples > batchLimits.samples ||
      this.#bytes + bytes > batchLimits.bytes;
    const before = full && this.#batch.length > 0 ? this.take() : undefined;
    this.#batch.push(placed);
    this.#samples += samples;
    this.#bytes += bytes;
    return before;
  }

  /** Hands back what has gathered, which may be nothing, and starts anew. */
  take(): PlacedReport[] {
    const batch = this.#batch;
    this.#batch = [];
    this.#samples = 0;
    this.#bytes = 0;
    return batch;
  }
}
