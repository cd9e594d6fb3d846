import { Desk, type Fragment, type Layout, murmur3Of, tag } from "@mon/store";
import { type CleanedReport, cleanReport, lessonOf } from "./clean.ts";
import { type KnownHost, KnownHosts } from "./known-hosts.ts";
import { type KnownRun, KnownRuns, type LearnedRun } from "./known-runs.ts";
import type { Reason, Rejection } from "./reason.ts";
import { type IntakeRules, RangeRules } from "./rules.ts";
import { RunScanner } from "./scan.ts";
import { type SentReport, uint32At } from "./sent-report.ts";
import { Slab } from "./slab.ts";
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
  /** By fragment, and by sample in its bytes: the sample's place in the report. Absent when they are the same. */
  readonly places: (readonly number[] | undefined)[];
  readonly rejections: Rejection[];
  /** Reports whose time came in another unit. */
  timestampsConverted: number;
}

/** Hosts that are remembered. */
const hostsMax = 65_536;

/**
 * Reads batches of encoded `mon.v1.Report` messages by one set of rules.
 *
 * Programs send the same list of series time and again. What is read first is looked at part by part; its layout is
 * remembered, with the way from what was sent to canonical bytes, and the next report of this layout is recognised by
 * comparing words: only its host, its time and its values are left to be looked at.
 */
export class BatchReader {
  readonly #rules: IntakeRules;
  readonly #ranges: RangeRules;
  readonly #scanner: RunScanner;
  readonly #runs: KnownRuns;
  readonly #hosts = new KnownHosts(hostsMax);
  readonly #desk = new Desk();
  readonly #slab = new Slab();

  /** @param layoutBytesMax - memory for layouts, in bytes, roughly; 0 remembers none */
  constructor(rules: IntakeRules, layoutBytesMax = 33_554_432) {
    this.#rules = rules;
    this.#ranges = new RangeRules(rules.ranges);
    this.#scanner = new RunScanner(rules, this.#ranges);
    this.#runs = new KnownRuns(layoutBytesMax, rules, this.#ranges);
  }

  /**
   * Reads a batch. Bytes that are no message, and too many samples, reject the whole batch; a bad host id or time rejects
   * its report; a bad sample itself (R7).
   *
   * @param reports - encoded reports; fragments of regular ones are views of these bytes
   * @param nowMs - the clock, in milliseconds since the Unix epoch
   */
  read(reports: readonly Uint8Array[], nowMs: number): ReadBatch {
    const batch = emptyBatch();
    let samples = 0;
    for (let reportIndex = 0; reportIndex < reports.length; reportIndex++) {
      const sent = this.#take(batch, reportIndex, reports[reportIndex]!, nowMs);
      if (sent < 0) return refused(batch.rejections.at(-1)!);
      samples += sent;
      if (samples > this.#rules.samplesMax) return refused(this.#tooManySamples(reportIndex));
    }
    return batch;
  }

  /** @returns samples sent, or −1 when the bytes are no message, which is then the last rejection */
  #take(batch: ReadBatch, reportIndex: number, report: Uint8Array, nowMs: number): number {
    // Host and time come first in what programs write, the length of the host id in one byte.
    const time = 2 + report[1]!;
    const isPlain =
      report[0] === tag.hostId && time < 130 && time + 9 < report.length && report[time] === tag.timestampMs;
    const host = isPlain ? this.#hosts.find(report, 2, time) : undefined;
    if (host === undefined) return this.#takeIrregular(batch, reportIndex, report, nowMs);
    const samplesStart = time + 9;
    const run = report.subarray(samplesStart);
    this.#desk.put(run);
    const slot = this.#runs.find(this.#desk, host.slot);
    if (slot < 0) return this.#takeUnknown(batch, reportIndex, report, samplesStart, run, host, nowMs);
    host.slot = slot;
    const known = this.#runs.at(slot);
    if (!known.accepts(run)) return this.#takeIrregular(batch, reportIndex, report, nowMs);
    const timestampMs = this.#takeHeaderTime(batch, reportIndex, host.hostId, report, time + 1, nowMs);
    if (timestampMs === undefined) return known.samples;
    const bytes = known.isCanonical ? run : this.#canonical(known, run);
    this.#push(batch, reportIndex, host.hostId, timestampMs, bytes, known);
    return known.samples;
  }

  /** Takes a report whose layout is not known, and learns it. @returns as {@link BatchReader.#take} */
  #takeUnknown(
    batch: ReadBatch,
    reportIndex: number,
    report: Uint8Array,
    samplesStart: number,
    run: Uint8Array,
    host: KnownHost,
    nowMs: number,
  ): number {
    const samples = this.#scanner.scan(run);
    if (samples === 0) return this.#takeIrregular(batch, reportIndex, report, nowMs, { samplesStart, host });
    const known = this.#learn({ sent: run, canonical: run, samples }, host);
    this.#desk.put(run);
    const timestampMs = this.#takeHeaderTime(
      batch,
      reportIndex,
      host.hostId,
      report,
      samplesStart - 8,
      nowMs,
    );
    if (timestampMs === undefined) return samples;
    this.#push(batch, reportIndex, host.hostId, timestampMs, run, known ?? { samples });
    return samples;
  }

  /**
   * Takes any report the slow way.
   *
   * @param pupil - who is to remember it, when its host and time come first
   * @returns as {@link BatchReader.#take}
   */
  #takeIrregular(
    batch: ReadBatch,
    reportIndex: number,
    report: Uint8Array,
    nowMs: number,
    pupil?: { readonly samplesStart: number; readonly host: KnownHost },
  ): number {
    let cleaned: CleanedReport;
    try {
      cleaned = cleanReport(report, this.#rules, this.#ranges);
    } catch (error) {
      if (!(error instanceof MalformedError)) throw error;
      batch.rejections.push(rejection(reportIndex, "", "malformed", "", error.message));
      return -1;
    }
    const { sent, hostId, faults, bytes, places } = cleaned;
    const samplesSent = sent.samples.length;
    const wholeFault = faults.find((fault) => fault.sampleIndex === undefined);
    if (wholeFault !== undefined) {
      const { reason, field, message } = wholeFault;
      batch.rejections.push(rejection(reportIndex, hostId, reason, field, message));
      return samplesSent;
    }
    const timestampMs = this.#takeTime(batch, reportIndex, hostId, sent, nowMs);
    if (timestampMs === undefined) return samplesSent;
    for (const { sampleIndex, name, reason, field, message } of faults) {
      batch.rejections.push({
        ...rejection(reportIndex, hostId, reason, field, message),
        sampleIndex: sampleIndex!,
        name,
      });
    }
    if (places.length === 0) return samplesSent;
    const lesson = pupil === undefined ? undefined : lessonOf(cleaned, report, pupil.samplesStart);
    const known = lesson === undefined ? undefined : this.#learn(lesson, pupil!.host);
    this.#desk.put(bytes);
    const made = { layout: known?.layout, samples: places.length, places };
    this.#push(batch, reportIndex, hostId, timestampMs, bytes, made);
    return samplesSent;
  }

  #learn(run: LearnedRun, host: KnownHost): KnownRun | undefined {
    const slot = this.#runs.learn(run, this.#desk);
    if (slot < 0) return undefined;
    host.slot = slot;
    return this.#runs.at(slot);
  }

  /** The canonical bytes of a run that is none, on the desk too. */
  #canonical(known: KnownRun, run: Uint8Array): Uint8Array {
    const bytes = this.#slab.take(known.layout.length);
    known.writeCanonical(run, bytes);
    this.#desk.put(bytes);
    return bytes;
  }

  /** Adds a fragment whose bytes lie on the desk. */
  #push(
    batch: ReadBatch,
    reportIndex: number,
    hostId: string,
    timestampMs: number,
    bytes: Uint8Array,
    made: {
      readonly layout?: Layout | undefined;
      readonly samples: number;
      readonly places?: readonly number[] | undefined;
    },
  ): void {
    const id = murmur3Of(this.#desk);
    const { layout } = made;
    batch.fragments.push({ hostId, timestampMs, idHigh: id.high, idLow: id.low, bytes, layout });
    batch.reportIndexes.push(reportIndex);
    batch.sampleCounts.push(made.samples);
    batch.places.push(made.places);
  }

  /** As {@link BatchReader.#takeTime}, for a time that stands in the eight bytes at `at`. */
  #takeHeaderTime(
    batch: ReadBatch,
    reportIndex: number,
    hostId: string,
    report: Uint8Array,
    at: number,
    nowMs: number,
  ): number | undefined {
    const timestampLow = uint32At(report, at);
    const timestampHigh = uint32At(report, at + 4);
    const sent = timestampHigh * 2 ** 32 + timestampLow;
    // Plainly milliseconds, and in the window.
    if (
      sent >= 1e11 &&
      sent < 1e14 &&
      sent >= nowMs - this.#rules.behindMs &&
      sent <= nowMs + this.#rules.aheadMs
    )
      return sent;
    const time = { timestampHigh, timestampLow, timeMs: undefined };
    return this.#takeTime(batch, reportIndex, hostId, time, nowMs);
  }

  /** The report's time, or undefined when that rejects the report. */
  #takeTime(
    batch: ReadBatch,
    reportIndex: number,
    hostId: string,
    { timestampHigh, timestampLow, timeMs }: Pick<SentReport, "timestampHigh" | "timestampLow" | "timeMs">,
    nowMs: number,
  ): number | undefined {
    const isMissing = timestampHigh === 0 && timestampLow === 0;
    if (isMissing && timeMs === undefined) {
      const message = "expected timestamp_ms or time, got neither";
      batch.rejections.push(rejection(reportIndex, hostId, "timestamp_missing", "timestamp_ms", message));
      return undefined;
    }
    const read = isMissing
      ? { timestampMs: timeMs!, converted: false }
      : readTimestamp(timestampHigh, timestampLow);
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
  const batch = emptyBatch();
  batch.rejections.push(cause);
  return batch;
}

function emptyBatch(): ReadBatch {
  return {
    fragments: [],
    reportIndexes: [],
    sampleCounts: [],
    places: [],
    rejections: [],
    timestampsConverted: 0,
  };
}

/** A time for people; instants that no calendar has are given in milliseconds. */
function iso(timestampMs: number): string {
  return Math.abs(timestampMs) <= 8.64e15 ? new Date(timestampMs).toISOString() : `${timestampMs} ms`;
}
