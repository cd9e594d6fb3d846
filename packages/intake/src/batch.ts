import { encodeSamples, type Fragment, murmur3 } from "@mon/store";
import { type CleanedReport, cleanReport } from "./clean.ts";
import { InternedTexts } from "./interned-texts.ts";
import type { Reason, Rejection } from "./reason.ts";
import { type IntakeRules, RangeRules } from "./rules.ts";
import { ReportScanner } from "./scan.ts";
import { readTimestamp } from "./timestamp.ts";
import { MalformedError } from "./wire-reader.ts";

/** A batch that was read: fragments to store, and what was rejected. */
export interface ReadBatch {
  /** One for each report of which something is left. */
  readonly fragments: Fragment[];
  /** By fragment: the place of its report in the batch. */
  readonly reportIndexes: number[];
  /** By fragment: how many samples it holds. */
  readonly sampleCounts: number[];
  readonly rejections: Rejection[];
  /** Reports whose time came in another unit. */
  timestampsConverted: number;
}

/** Host ids remembered as strings. */
const hostIdsMax = 65_536;

/** Reads batches of encoded `mon.v1.Report` messages by one set of rules. */
export class BatchReader {
  readonly #rules: IntakeRules;
  readonly #ranges: RangeRules;
  readonly #scanner: ReportScanner;
  readonly #hostIds = new InternedTexts(hostIdsMax);

  constructor(rules: IntakeRules) {
    this.#rules = rules;
    this.#ranges = new RangeRules(rules.ranges);
    this.#scanner = new ReportScanner(rules, this.#ranges);
  }

  /**
   * Reads a batch. Bytes that are no message, and too many samples, reject the whole batch; a bad host id or time rejects
   * its report; a bad sample itself (R7).
   *
   * @param reports - encoded reports; fragments of regular ones are views of these bytes
   * @param nowMs - the clock, in milliseconds since the Unix epoch
   */
  read(reports: readonly Uint8Array[], nowMs: number): ReadBatch {
    const batch: ReadBatch = {
      fragments: [],
      reportIndexes: [],
      sampleCounts: [],
      rejections: [],
      timestampsConverted: 0,
    };
    let samples = 0;
    for (let reportIndex = 0; reportIndex < reports.length; reportIndex++) {
      const report = reports[reportIndex]!;
      const sent = this.#scanner.scan(report)
        ? this.#takeRegular(batch, reportIndex, report, nowMs)
        : this.#takeIrregular(batch, reportIndex, report, nowMs);
      if (sent < 0) return refused(batch.rejections.at(-1)!);
      samples += sent;
      if (samples > this.#rules.samplesMax) return refused(this.#tooManySamples(reportIndex));
    }
    return batch;
  }

  /** @returns samples sent */
  #takeRegular(batch: ReadBatch, reportIndex: number, report: Uint8Array, nowMs: number): number {
    const scanner = this.#scanner;
    const hostId = this.#hostIds.get(report, scanner.hostStart, scanner.hostEnd);
    const timestampMs = this.#takeTime(
      batch,
      reportIndex,
      hostId,
      scanner.timestampHigh,
      scanner.timestampLow,
      undefined,
      nowMs,
    );
    if (timestampMs !== undefined) {
      const bytes = report.subarray(scanner.samplesStart, scanner.samplesEnd);
      const id = murmur3(bytes);
      batch.fragments.push({ hostId, timestampMs, idHigh: id.high, idLow: id.low, bytes });
      batch.reportIndexes.push(reportIndex);
      batch.sampleCounts.push(scanner.samples);
    }
    return scanner.samples;
  }

  /** @returns samples sent, or −1 when the bytes are no message, which is then the last rejection */
  #takeIrregular(batch: ReadBatch, reportIndex: number, report: Uint8Array, nowMs: number): number {
    let cleaned: CleanedReport;
    try {
      cleaned = cleanReport(report, this.#rules, this.#ranges);
    } catch (error) {
      if (!(error instanceof MalformedError)) throw error;
      batch.rejections.push(rejection(reportIndex, "", "malformed", "", error.message));
      return -1;
    }
    const { hostId, faults } = cleaned;
    const wholeFault = faults.find((fault) => fault.sampleIndex === undefined);
    if (wholeFault !== undefined) {
      batch.rejections.push(
        rejection(reportIndex, hostId, wholeFault.reason, wholeFault.field, wholeFault.message),
      );
      return cleaned.samplesSent;
    }
    const { timestamp, timeMs } = cleaned;
    const timestampMs = this.#takeTime(
      batch,
      reportIndex,
      hostId,
      timestamp.high,
      timestamp.low,
      timeMs,
      nowMs,
    );
    if (timestampMs === undefined) return cleaned.samplesSent;
    for (const { sampleIndex, name, reason, field, message } of faults) {
      batch.rejections.push({
        ...rejection(reportIndex, hostId, reason, field, message),
        sampleIndex: sampleIndex!,
        name,
      });
    }
    if (cleaned.samples.length > 0) {
      const bytes = encodeSamples(cleaned.samples);
      const id = murmur3(bytes);
      batch.fragments.push({ hostId, timestampMs, idHigh: id.high, idLow: id.low, bytes });
      batch.reportIndexes.push(reportIndex);
      batch.sampleCounts.push(cleaned.samples.length);
    }
    return cleaned.samplesSent;
  }

  /** The report's time, or undefined when that rejects the report. */
  #takeTime(
    batch: ReadBatch,
    reportIndex: number,
    hostId: string,
    high: number,
    low: number,
    timeMs: number | undefined,
    nowMs: number,
  ): number | undefined {
    const isMissing = high === 0 && low === 0;
    if (isMissing && timeMs === undefined) {
      const message = "expected timestamp_ms or time, got neither";
      batch.rejections.push(rejection(reportIndex, hostId, "timestamp_missing", "timestamp_ms", message));
      return undefined;
    }
    const read = isMissing ? { timestampMs: timeMs!, converted: false } : readTimestamp(high, low);
    const { timestampMs } = read;
    const field = isMissing ? "time" : "timestamp_ms";
    const oldest = nowMs - this.#rules.behindMs;
    if (timestampMs < oldest) {
      const message = `expected a time from ${iso(oldest)} on, got ${iso(timestampMs)}`;
      batch.rejections.push(rejection(reportIndex, hostId, "timestamp_too_old", field, message));
      return undefined;
    }
    const newest = nowMs + this.#rules.aheadMs;
    if (timestampMs > newest) {
      const message = `expected a time up to ${iso(newest)}, got ${iso(timestampMs)}`;
      batch.rejections.push(rejection(reportIndex, hostId, "timestamp_too_new", field, message));
      return undefined;
    }
    if (read.converted) batch.timestampsConverted++;
    return timestampMs;
  }

  #tooManySamples(reportIndex: number): Rejection {
    const message = `expected at most ${this.#rules.samplesMax} samples in a batch, got more by report ${reportIndex}`;
    return { ...rejection(reportIndex, "", "too_many_samples", "", message), field: "reports" };
  }
}

function rejection(
  reportIndex: number,
  hostId: string,
  reason: Reason,
  field: string,
  message: string,
): Rejection {
  const path = `reports[${reportIndex}]`;
  return { reportIndex, hostId, name: "", reason, field: field === "" ? path : `${path}.${field}`, message };
}

/** A batch of which nothing is taken. */
function refused(cause: Rejection): ReadBatch {
  return { fragments: [], reportIndexes: [], sampleCounts: [], rejections: [cause], timestampsConverted: 0 };
}

/** A time for people; instants that no calendar has are given in milliseconds. */
function iso(timestampMs: number): string {
  return Math.abs(timestampMs) <= 8.64e15 ? new Date(timestampMs).toISOString() : `${timestampMs} ms`;
}
