import { Kind } from "@mon/store";
import { isLabelName, isMetricName, isOpenTelemetryName, isUtf8 } from "./characters.ts";
import { doubleAt, isStaleMarkerAt } from "./double.ts";
import type { Reason } from "./reason.ts";
import { type IntakeRules, isInRange, type RangeRule } from "./rules.ts";
import type { SentLabel, SentSample } from "./sent-sample.ts";

/** What is wrong with a sample. */
export interface SampleFault {
  readonly reason: Reason;
  /** The field, as a path from the sample. */
  readonly field: string;
  readonly message: string;
}

const decoder = new TextDecoder("utf-8", { ignoreBOM: true });

/** Text for a reply, cut to 128 characters; what is not UTF-8 becomes U+FFFD. */
export function quotable(bytes: Uint8Array, start: number, end: number): string {
  return decoder.decode(bytes.subarray(start, Math.min(end, start + 512))).slice(0, 128);
}

/** Checks a sample's texts and kind. A name that is to be translated passes, whatever becomes of it. */
export function checkTexts(sample: SentSample, rules: IntakeRules): SampleFault | undefined {
  return checkName(sample, rules) ?? checkLabels(sample, rules) ?? checkKind(sample);
}

/** Whether a sample that {@link checkTexts} has passed has names to be translated. */
export function isToBeTranslated({ texts, nameStart, nameEnd, labels }: SentSample): boolean {
  if (!isMetricName(texts, nameStart, nameEnd)) return true;
  for (const label of labels) if (!isLabelName(texts, label.nameStart, label.nameEnd)) return true;
  return false;
}

function checkName({ texts, nameStart, nameEnd }: SentSample, rules: IntakeRules): SampleFault | undefined {
  const length = nameEnd - nameStart;
  if (length > rules.nameBytesMax) {
    const message = `expected a name of at most ${rules.nameBytesMax} bytes, got ${length}`;
    return { reason: "name_too_long", field: ".name", message };
  }
  if (isMetricName(texts, nameStart, nameEnd)) return undefined;
  if (rules.names === "translate" && isOpenTelemetryName(texts, nameStart, nameEnd)) return undefined;
  const got = JSON.stringify(quotable(texts, nameStart, nameEnd));
  const message = `expected a metric name like [a-zA-Z_:][a-zA-Z0-9_:]*, got ${got}`;
  return { reason: "name_invalid", field: ".name", message };
}

function checkLabels({ texts, labels }: SentSample, rules: IntakeRules): SampleFault | undefined {
  if (labels.length > rules.labelsMax) {
    const message = `expected at most ${rules.labelsMax} labels, got ${labels.length}`;
    return { reason: "too_many_labels", field: ".labels", message };
  }
  for (let i = 0; i < labels.length; i++) {
    const fault = checkLabel(texts, labels, i, rules);
    if (fault !== undefined) return fault;
  }
  return undefined;
}

function checkLabel(
  texts: Uint8Array,
  labels: readonly SentLabel[],
  index: number,
  rules: IntakeRules,
): SampleFault | undefined {
  const label = labels[index]!;
  const { nameStart, nameEnd, valueStart, valueEnd } = label;
  const path = `.labels[${index}]`;
  if (nameEnd - nameStart > rules.nameBytesMax || !isLabelSent(texts, label, rules)) {
    const got = JSON.stringify(quotable(texts, nameStart, nameEnd));
    const message = `expected a label name like [a-zA-Z_][a-zA-Z0-9_]* that does not start with "__", at most ${rules.nameBytesMax} bytes, got ${got}`;
    return { reason: "label_name_invalid", field: `${path}.name`, message };
  }
  for (let i = 0; i < index; i++) {
    if (!haveOneName(texts, labels[i]!, label)) continue;
    const message = `expected each label once, got ${quotable(texts, nameStart, nameEnd)} again`;
    return { reason: "label_duplicate", field: `${path}.name`, message };
  }
  const length = valueEnd - valueStart;
  if (length > rules.labelValueBytesMax) {
    const message = `expected a label value of at most ${rules.labelValueBytesMax} bytes, got ${length}`;
    return { reason: "label_value_invalid", field: `${path}.value`, message };
  }
  if (isUtf8(texts, valueStart, valueEnd)) return undefined;
  const message = "expected a label value in UTF-8, got other bytes";
  return { reason: "label_value_invalid", field: `${path}.value`, message };
}

function isLabelSent(texts: Uint8Array, { nameStart, nameEnd }: SentLabel, rules: IntakeRules): boolean {
  if (isLabelName(texts, nameStart, nameEnd)) return true;
  return rules.names === "translate" && isOpenTelemetryName(texts, nameStart, nameEnd);
}

function haveOneName(texts: Uint8Array, a: SentLabel, b: SentLabel): boolean {
  const length = a.nameEnd - a.nameStart;
  if (length !== b.nameEnd - b.nameStart) return false;
  for (let i = 0; i < length; i++) if (texts[a.nameStart + i] !== texts[b.nameStart + i]) return false;
  return true;
}

function checkKind({ kind }: SentSample): SampleFault | undefined {
  if (kind === Kind.unspecified || kind === Kind.gauge || kind === Kind.counter) return undefined;
  return { reason: "kind_invalid", field: ".kind", message: `expected a kind of 0, 1 or 2, got ${kind}` };
}

/** The value of a sample; a NaN without its payload. */
export function sampleValue({ bytes, valueStart }: SentSample): number {
  return valueStart < 0 ? 0 : doubleAt(bytes, valueStart);
}

/** Checks a sample's value. @param range - the rule for its metric */
export function checkValue(
  sample: SentSample,
  rules: IntakeRules,
  range: RangeRule | undefined,
): SampleFault | undefined {
  const value = sampleValue(sample);
  if (Number.isNaN(value)) {
    if (rules.nan === "keep" || isStaleMarkerAt(sample.bytes, sample.valueStart)) return undefined;
    return { reason: "value_nan", field: ".value", message: "expected a number, got NaN" };
  }
  if (!Number.isFinite(value) && rules.infinite === "reject") {
    return { reason: "value_infinite", field: ".value", message: `expected a finite number, got ${value}` };
  }
  if (range === undefined || range.action === "mark" || isInRange(range, value)) return undefined;
  const message = `expected a value from ${range.min ?? "-Inf"} to ${range.max ?? "+Inf"}, got ${value}`;
  return { reason: "value_out_of_range", field: ".value", message };
}
