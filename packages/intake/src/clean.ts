import { SampleFlag } from "@mon/store";
import { isHostId } from "./characters.ts";
import {
  checkTexts,
  checkValue,
  isToBeTranslated,
  quotable,
  type SampleFault,
  sampleValue,
} from "./check-sample.ts";
import type { LearnedRun } from "./known-runs.ts";
import type { Reason } from "./reason.ts";
import { type IntakeRules, isInRange, type RangeRules } from "./rules.ts";
import { readReport, type SentReport } from "./sent-report.ts";
import { compareLabels, compareSeries, type SentSample } from "./sent-sample.ts";
import { translateSample } from "./translate.ts";
import { writeSamples } from "./write-samples.ts";

/** Something wrong with a report or a sample of it. */
export interface Fault {
  /** The sample's place in its report; absent when the whole report is at fault. */
  readonly sampleIndex?: number;
  readonly name: string;
  readonly reason: Reason;
  /** The field, as a path from the report. */
  readonly field: string;
  readonly message: string;
}

/** What is left of a report, and what was wrong with it. */
export interface CleanedReport {
  readonly sent: SentReport;
  /** The host id, cut to 128 characters. */
  readonly hostId: string;
  /** The canonical bytes of the samples that pass every rule; empty when none does. */
  readonly bytes: Uint8Array;
  /** By sample in the canonical bytes: its place in the report. */
  readonly places: readonly number[];
  /** By value in the canonical bytes: where it stands in the report. */
  readonly valueStarts: readonly number[];
  readonly faults: readonly Fault[];
}

/**
 * Reads an encoded `mon.v1.Report` of any shape that the wire format allows, checks each part by the rules, and makes
 * canonical bytes of what is left. The slow way: for reports that are not regular, or at fault.
 * O(n log n), without a string for a report that has no fault.
 *
 * @throws {MalformedError} when the bytes are no message
 */
export function cleanReport(bytes: Uint8Array, rules: IntakeRules, ranges: RangeRules): CleanedReport {
  const sent = readReport(bytes);
  const faults: Fault[] = [];
  const { hostStart, hostEnd } = sent;
  const hostFault = checkHostId(bytes, hostStart, hostEnd);
  if (hostFault !== undefined) faults.push(hostFault);
  if (sent.samples.length === 0) {
    const message = "expected at least one sample, got none";
    faults.push({ name: "", reason: "samples_missing", field: "samples", message });
  }
  const kept: SentSample[] = [];
  for (const sample of sent.samples) {
    const result = cleanSample(sample, rules, ranges);
    if ("reason" in result) faults.push(faultOf(sample, result));
    else kept.push(result);
  }
  const unique = inOrder(kept, faults);
  const written = writeSamples(unique);
  return {
    sent,
    hostId: quotable(bytes, hostStart, hostEnd),
    bytes: written.bytes,
    places: unique.map(({ place }) => place),
    valueStarts: written.valueStarts,
    faults,
  };
}

/**
 * What a report teaches about others with the same host that come after it: of one without a fault, whose samples are
 * all that follows its host and time.
 */
export function lessonOf(
  report: CleanedReport,
  bytes: Uint8Array,
  samplesStart: number,
): LearnedRun | undefined {
  if (report.faults.length > 0 || report.sent.headers !== 2) return undefined;
  const sent = bytes.subarray(samplesStart);
  const samples = report.places.length;
  if (isEqual(sent, report.bytes)) return { sent, canonical: report.bytes, samples };
  const sentOffsets = report.valueStarts.map((start) => start - samplesStart);
  const places = report.places.every((place, i) => place === i) ? undefined : report.places;
  return { sent, canonical: report.bytes, sentOffsets, places, samples };
}

function isEqual(a: Uint8Array, b: Uint8Array): boolean {
  if (a.length !== b.length) return false;
  for (let i = 0; i < a.length; i++) if (a[i] !== b[i]) return false;
  return true;
}

/** The sample as it is to be stored, or what is wrong with it. */
function cleanSample(sample: SentSample, rules: IntakeRules, ranges: RangeRules): SentSample | SampleFault {
  const fault = checkTexts(sample, rules);
  if (fault !== undefined) return fault;
  let cleaned = sample;
  if (isToBeTranslated(sample)) {
    cleaned = translateSample(sample);
    // Names get longer, and values are joined.
    const translatedFault = checkTexts(cleaned, rules);
    if (translatedFault !== undefined) return translatedFault;
  }
  const range = ranges.findBytes(cleaned.texts, cleaned.nameStart, cleaned.nameEnd);
  const valueFault = checkValue(sample, rules, range);
  if (valueFault !== undefined) return valueFault;
  const value = sampleValue(sample);
  if (range !== undefined && !Number.isNaN(value) && !isInRange(range, value)) {
    cleaned.flags = (cleaned.flags | SampleFlag.outlier) >>> 0;
  }
  if (cleaned.labels.length > 1) cleaned.labels.sort((a, b) => compareLabels(cleaned.texts, a, b));
  return cleaned;
}

/** Samples in canonical order, each series once: the first that was sent stays, the others are faults. */
function inOrder(samples: SentSample[], faults: Fault[]): SentSample[] {
  samples.sort(compareSeries);
  const unique = samples.filter((sample, i) => i === 0 || compareSeries(samples[i - 1]!, sample) !== 0);
  if (unique.length === samples.length) return samples;
  const first = new Set(unique);
  for (const sample of samples) {
    if (first.has(sample)) continue;
    const name = quotable(sample.texts, sample.nameStart, sample.nameEnd);
    const message = `expected each series once in a report, got one of ${name} again`;
    faults.push(faultOf(sample, { reason: "duplicate_series", field: "", message }));
  }
  faults.sort((a, b) => (a.sampleIndex ?? -1) - (b.sampleIndex ?? -1));
  return unique;
}

function faultOf(sample: SentSample, { reason, field, message }: SampleFault): Fault {
  const { texts, nameStart, nameEnd, place } = sample;
  const name = quotable(texts, nameStart, nameEnd);
  return { sampleIndex: place, name, reason, field: `samples[${place}]${field}`, message };
}

function checkHostId(bytes: Uint8Array, start: number, end: number): Fault | undefined {
  const length = end - start;
  const fault = (reason: Reason, message: string): Fault => ({ name: "", reason, field: "host_id", message });
  if (length === 0) return fault("host_id_missing", "expected a host id, got none");
  if (length > 128) return fault("host_id_invalid", `expected a host id of at most 128 bytes, got ${length}`);
  if (isHostId(bytes, start, end)) return undefined;
  const got = JSON.stringify(quotable(bytes, start, end));
  return fault(
    "host_id_invalid",
    `expected a host id of letters, digits, ".", "_" and "-" that starts with a letter or digit, got ${got}`,
  );
}
