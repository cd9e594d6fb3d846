import { Kind, type Label, type Sample, SampleFlag, seriesKey, tag, type ValueBits } from "@mon/store";
import { prometheusLabel, prometheusName, type Reason } from "../../src/index.ts";
import { type IntakeRules, isInRange, type RangeRules } from "../../src/rules.ts";
import { hostIdPattern, labelNamePattern, metricNamePattern, openTelemetryPattern } from "./patterns.ts";
import { isUtf8, lenientText, PlainWireReader } from "./plain-wire-reader.ts";

/** A report as sent: fields read, nothing checked. */
interface RawReport {
  hostId: Uint8Array;
  timestamp: { high: number; low: number };
  time: RawTime | undefined;
  readonly samples: Uint8Array[];
}

/** A google.protobuf.Timestamp as sent. */
interface RawTime {
  seconds: bigint;
  nanos: number;
}

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
export interface PlainlyCleaned {
  readonly hostId: string;
  readonly timestamp: { readonly high: number; readonly low: number };
  readonly timeMs: number | undefined;
  /** Samples that pass every rule. */
  readonly samples: readonly Sample[];
  /** Samples that were sent. */
  readonly samplesSent: number;
  readonly faults: readonly Fault[];
}

/**
 * The oracle: reads an encoded `mon.v1.Report` into objects and strings and checks each part by the rules, written for
 * its meaning alone.
 *
 * @throws {MalformedError} when the bytes are no message
 */
export function cleanPlainly(bytes: Uint8Array, rules: IntakeRules, ranges: RangeRules): PlainlyCleaned {
  const raw = readReport(bytes);
  const faults: Fault[] = [];
  const hostFault = checkHostId(raw.hostId);
  if (hostFault !== undefined) faults.push(hostFault);
  if (raw.samples.length === 0) {
    faults.push({
      name: "",
      reason: "samples_missing",
      field: "samples",
      message: "expected at least one sample, got none",
    });
  }
  const kept = new Map<string, Sample>();
  for (const [sampleIndex, body] of raw.samples.entries()) {
    const sent = readSample(body);
    const sample = rules.names === "translate" ? translated(sent) : sent;
    const fault = checkTexts(sent, rules) ?? checkTexts(sample, rules) ?? checkValue(sample, rules, ranges);
    const path = `samples[${sampleIndex}]`;
    if (fault !== undefined) {
      faults.push({ ...fault, sampleIndex, name: cut(sent.name), field: `${path}${fault.field}` });
      continue;
    }
    const checked = markOutlier(sample, ranges);
    const key = seriesKey({ name: checked.name, labels: sortedLabels(checked.labels) });
    if (kept.has(key)) {
      const message = `expected each series once in a report, got one of ${cut(sample.name)} again`;
      faults.push({ sampleIndex, name: cut(sample.name), reason: "duplicate_series", field: path, message });
      continue;
    }
    kept.set(key, checked);
  }
  return {
    hostId: cut(lenientText(raw.hostId)),
    timestamp: raw.timestamp,
    timeMs: raw.time === undefined ? undefined : millisecondsOf(raw.time),
    samples: [...kept.values()],
    samplesSent: raw.samples.length,
    faults,
  };
}

/** Cuts text that goes into a reply. */
function cut(text: string): string {
  return text.slice(0, 128);
}

function readReport(bytes: Uint8Array): RawReport {
  const report: RawReport = {
    hostId: new Uint8Array(0),
    timestamp: { high: 0, low: 0 },
    time: undefined,
    samples: [],
  };
  const reader = new PlainWireReader(bytes);
  while (!reader.done) {
    const fieldTag = reader.tag();
    switch (fieldTag) {
      case tag.hostId:
        report.hostId = reader.bytes();
        break;
      case tag.timestampMs:
        report.timestamp = reader.fixed64();
        break;
      case tag.samples:
        report.samples.push(reader.bytes());
        break;
      case tag.time:
        report.time = readTime(reader.bytes(), report.time);
        break;
      default:
        reader.skip(fieldTag);
    }
  }
  return report;
}

/** Reads a google.protobuf.Timestamp into one that came before it: a message that comes twice is merged. */
function readTime(bytes: Uint8Array, time: RawTime = { seconds: 0n, nanos: 0 }): RawTime {
  const reader = new PlainWireReader(bytes);
  while (!reader.done) {
    const fieldTag = reader.tag();
    if (fieldTag === 0x08) time.seconds = reader.int64();
    else if (fieldTag === 0x10) time.nanos = Number(BigInt.asIntN(32, reader.int64()));
    else reader.skip(fieldTag);
  }
  return time;
}

/** Cut to the millisecond. */
function millisecondsOf({ seconds, nanos }: RawTime): number {
  return Number(seconds) * 1_000 + Math.floor(nanos / 1e6);
}

/** A sample as sent. */
interface RawSample {
  name: string;
  nameBytes: number;
  value: number;
  bits: ValueBits;
  kind: number;
  flags: number;
  readonly labels: RawLabel[];
}

interface RawLabel {
  name: string;
  value: string;
  valueBytes: number;
  isText: boolean;
}

const zero: ValueBits = { high: 0, low: 0 };

function readSample(bytes: Uint8Array): RawSample {
  const sample: RawSample = { name: "", nameBytes: 0, value: 0, bits: zero, kind: 0, flags: 0, labels: [] };
  const reader = new PlainWireReader(bytes);
  while (!reader.done) {
    const fieldTag = reader.tag();
    switch (fieldTag) {
      case tag.name: {
        const text = reader.bytes();
        sample.name = lenientText(text);
        sample.nameBytes = text.length;
        break;
      }
      case tag.value:
        ({ value: sample.value, bits: sample.bits } = reader.double());
        break;
      case tag.labels:
        sample.labels.push(readLabel(reader.bytes()));
        break;
      case tag.kind:
        sample.kind = Number(BigInt.asIntN(32, reader.int64()));
        break;
      case tag.flags:
        sample.flags = reader.uint32();
        break;
      default:
        reader.skip(fieldTag);
    }
  }
  return sample;
}

function readLabel(bytes: Uint8Array): RawLabel {
  const label: RawLabel = { name: "", value: "", valueBytes: 0, isText: true };
  const reader = new PlainWireReader(bytes);
  while (!reader.done) {
    const fieldTag = reader.tag();
    if (fieldTag === tag.labelName) {
      label.name = lenientText(reader.bytes());
    } else if (fieldTag === tag.labelValue) {
      const text = reader.bytes();
      label.value = lenientText(text);
      label.valueBytes = text.length;
      label.isText = isUtf8(text);
    } else {
      reader.skip(fieldTag);
    }
  }
  return label;
}

function checkHostId(bytes: Uint8Array): Fault | undefined {
  const fault = (reason: Reason, message: string): Fault => ({ name: "", reason, field: "host_id", message });
  if (bytes.length === 0) return fault("host_id_missing", "expected a host id, got none");
  if (bytes.length > 128)
    return fault("host_id_invalid", `expected a host id of at most 128 bytes, got ${bytes.length}`);
  const text = lenientText(bytes);
  if (hostIdPattern.test(text)) return undefined;
  return fault(
    "host_id_invalid",
    `expected a host id of letters, digits, ".", "_" and "-" that starts with a letter or digit, got ${JSON.stringify(text)}`,
  );
}

/** A fault whose field is a path from the sample. */
type SampleFault = Pick<Fault, "reason" | "field" | "message">;

function checkTexts(sample: RawSample, rules: IntakeRules): SampleFault | undefined {
  return checkName(sample, rules) ?? checkLabels(sample.labels, rules) ?? checkKind(sample);
}

/** The sample with its names of OpenTelemetry as Prometheus's. */
function translated(sample: RawSample): RawSample {
  const isName = metricNamePattern.test(sample.name) || !openTelemetryPattern.test(sample.name);
  // Whether the kind is one is checked before this is looked at.
  const name = isName ? sample.name : prometheusName({ name: sample.name, kind: sample.kind as Kind });
  const joined = new Map<string, string[]>();
  const inOrder = sample.labels.toSorted((a, b) => (a.name < b.name ? -1 : 1));
  for (const label of inOrder) {
    const isLabel = labelNamePattern.test(label.name) || !openTelemetryPattern.test(label.name);
    const key = isLabel ? label.name : prometheusLabel(label.name);
    joined.set(key, [...(joined.get(key) ?? []), label.value]);
  }
  const isAsSent =
    name === sample.name && sample.labels.every((label) => joined.get(label.name)?.length === 1);
  if (isAsSent) return sample;
  const labels = [...joined].map(([key, values]) => {
    const value = values.join(";");
    return { name: key, value, valueBytes: Buffer.byteLength(value), isText: true };
  });
  return { ...sample, name, nameBytes: name.length, labels };
}

function checkName({ name, nameBytes }: RawSample, rules: IntakeRules): SampleFault | undefined {
  if (nameBytes > rules.nameBytesMax) {
    return {
      reason: "name_too_long",
      field: ".name",
      message: `expected a name of at most ${rules.nameBytesMax} bytes, got ${nameBytes}`,
    };
  }
  if (metricNamePattern.test(name)) return undefined;
  if (rules.names === "translate" && openTelemetryPattern.test(name)) return undefined;
  const message = `expected a metric name like [a-zA-Z_:][a-zA-Z0-9_:]*, got ${JSON.stringify(cut(name))}`;
  return { reason: "name_invalid", field: ".name", message };
}

function checkLabels(labels: readonly RawLabel[], rules: IntakeRules): SampleFault | undefined {
  if (labels.length > rules.labelsMax) {
    const message = `expected at most ${rules.labelsMax} labels, got ${labels.length}`;
    return { reason: "too_many_labels", field: ".labels", message };
  }
  const names = new Set<string>();
  for (const [index, label] of labels.entries()) {
    const path = `.labels[${index}]`;
    const isTranslated = rules.names === "translate" && openTelemetryPattern.test(label.name);
    if (label.name.length > rules.nameBytesMax || !(labelNamePattern.test(label.name) || isTranslated)) {
      const message = `expected a label name like [a-zA-Z_][a-zA-Z0-9_]* that does not start with "__", at most ${rules.nameBytesMax} bytes, got ${JSON.stringify(cut(label.name))}`;
      return { reason: "label_name_invalid", field: `${path}.name`, message };
    }
    if (names.has(label.name)) {
      return {
        reason: "label_duplicate",
        field: `${path}.name`,
        message: `expected each label once, got ${cut(label.name)} again`,
      };
    }
    names.add(label.name);
    if (label.valueBytes > rules.labelValueBytesMax) {
      const message = `expected a label value of at most ${rules.labelValueBytesMax} bytes, got ${label.valueBytes}`;
      return { reason: "label_value_invalid", field: `${path}.value`, message };
    }
    if (!label.isText) {
      return {
        reason: "label_value_invalid",
        field: `${path}.value`,
        message: "expected a label value in UTF-8, got other bytes",
      };
    }
  }
  return undefined;
}

function checkKind({ kind }: RawSample): SampleFault | undefined {
  if (kind === Kind.unspecified || kind === Kind.gauge || kind === Kind.counter) return undefined;
  return { reason: "kind_invalid", field: ".kind", message: `expected a kind of 0, 1 or 2, got ${kind}` };
}

function checkValue(
  { name, value, bits }: RawSample,
  rules: IntakeRules,
  ranges: RangeRules,
): SampleFault | undefined {
  if (Number.isNaN(value)) {
    if (rules.nan === "keep" || isStaleMarker(bits)) return undefined;
    return { reason: "value_nan", field: ".value", message: "expected a number, got NaN" };
  }
  if (!Number.isFinite(value) && rules.infinite === "reject") {
    return { reason: "value_infinite", field: ".value", message: `expected a finite number, got ${value}` };
  }
  const rule = ranges.find(name);
  if (rule === undefined || rule.action === "mark" || isInRange(rule, value)) return undefined;
  const message = `expected a value from ${rule.min ?? "-Inf"} to ${rule.max ?? "+Inf"}, got ${value}`;
  return { reason: "value_out_of_range", field: ".value", message };
}

/** The sample, marked when its value is outside its metric's range. Only for samples that have passed every check. */
function markOutlier(sample: RawSample, ranges: RangeRules): Sample {
  const rule = ranges.find(sample.name);
  const isOutlier = rule !== undefined && !Number.isNaN(sample.value) && !isInRange(rule, sample.value);
  return {
    name: sample.name,
    value: sample.value,
    ...(Number.isNaN(sample.value) && { nan: sample.bits }),
    labels: sample.labels.map(({ name, value }): Label => ({ name, value })),
    // checkKind has seen it.
    kind: sample.kind as Kind,
    flags: isOutlier ? (sample.flags | SampleFlag.outlier) >>> 0 : sample.flags,
  };
}

function sortedLabels(labels: readonly Label[]): readonly Label[] {
  return labels.toSorted((a, b) => (a.name < b.name ? -1 : 1));
}

/** Whether a value is the NaN by which Prometheus says that a series has ended. */
function isStaleMarker({ high, low }: ValueBits): boolean {
  return high === 0x7ff00000 && low === 2;
}
