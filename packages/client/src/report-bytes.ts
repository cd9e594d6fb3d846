import { BinaryWriter, WireType } from "@bufbuild/protobuf/wire";
import type { EncodedReport } from "./session.ts";

/** How a value behaves over time: it goes up and down, or it only counts up until a restart. */
export type SampleKind = "gauge" | "counter";

/** One measurement. */
export interface SampleInput {
  /** Metric name, `[a-zA-Z_:][a-zA-Z0-9_:]*`, unit last: `http_requests_total`, `queue_bytes`. */
  readonly name: string;
  /** In the unit that the name ends with. */
  readonly value: number;
  /** Labels that tell this series from others of the same name and host. */
  readonly labels?: Readonly<Record<string, string>> | undefined;
  /** Default: not said, which brokers treat as a gauge. */
  readonly kind?: SampleKind | undefined;
}

/** What one host said at one instant. */
export interface ReportInput {
  /** The host, `[A-Za-z0-9][A-Za-z0-9._-]{0,127}`. */
  readonly hostId: string;
  /** The instant: milliseconds since the Unix epoch, cut to whole ones, or a Date. Default: now. */
  readonly timestampMs?: number | Date | undefined;
  /** At least one; a series may appear once. */
  readonly samples: readonly SampleInput[];
}

const kinds: Readonly<Record<SampleKind, number>> = { gauge: 1, counter: 2 };

type LabelEntry = readonly [name: string, value: string];

interface SortableSample {
  readonly sample: SampleInput;
  readonly labels: readonly LabelEntry[];
}

/**
 * Encodes a report as `mon.v1.Report` in canonical form (rule R2): labels sorted by name, samples by name and labels,
 * both bytewise, defaults left out. A broker copies such bytes instead of encoding them again.
 *
 * Only types are checked here. What a broker would reject (names, limits, instants) is left to the broker, whose
 * reasons are exact.
 *
 * @throws {TypeError} that names the field, when a value has the wrong type
 * @throws {RangeError} when the timestamp is not a number that a report can hold
 */
export function reportBytes(report: ReportInput, nowMs: number): EncodedReport {
  if (typeof report?.hostId !== "string") throw wrongType("hostId", "a string", report?.hostId);
  if (!Array.isArray(report.samples)) throw wrongType("samples", "an array", report.samples);

  const writer = new BinaryWriter();
  if (report.hostId !== "") writer.tag(1, WireType.LengthDelimited).string(report.hostId);
  const timestampMs = timestampMsOf(report.timestampMs, nowMs);
  if (timestampMs !== 0n) writer.tag(2, WireType.Bit64).fixed64(timestampMs);
  const samples = report.samples.map((sample: SampleInput, index) => sortableSample(sample, index));
  for (const sample of sorted(samples, compareSamples)) writeSample(writer, sample);
  return { bytes: writer.finish(), samples: samples.length };
}

function timestampMsOf(timestamp: number | Date | undefined, nowMs: number): bigint {
  if (timestamp !== undefined && typeof timestamp !== "number" && !(timestamp instanceof Date)) {
    throw wrongType("timestampMs", "a number or a Date", timestamp);
  }
  const milliseconds = Math.floor(Number(timestamp ?? nowMs));
  if (!(milliseconds >= 0 && milliseconds < 2 ** 64)) {
    throw new RangeError(`expected timestampMs to be milliseconds since 1970, got ${String(timestamp)}`);
  }
  return BigInt(milliseconds);
}

function sortableSample(sample: SampleInput, index: number): SortableSample {
  if (typeof sample?.name !== "string") throw wrongType(`samples[${index}].name`, "a string", sample?.name);
  if (typeof sample.value !== "number") throw wrongType(`samples[${index}].value`, "a number", sample.value);
  if (sample.kind !== undefined && !Object.hasOwn(kinds, sample.kind)) {
    throw wrongType(`samples[${index}].kind`, `"gauge" or "counter"`, sample.kind);
  }
  const labels: LabelEntry[] = sample.labels === undefined ? [] : Object.entries(sample.labels);
  for (const [name, value] of labels) {
    if (typeof value !== "string") throw wrongType(`samples[${index}].labels.${name}`, "a string", value);
  }
  return { sample, labels: sorted(labels, compareLabelNames) };
}

function writeSample(writer: BinaryWriter, { sample, labels }: SortableSample): void {
  writer.tag(3, WireType.LengthDelimited).fork();
  if (sample.name !== "") writer.tag(1, WireType.LengthDelimited).string(sample.name);
  // Minus zero is a value of its own; only plus zero is the default.
  if (!Object.is(sample.value, 0)) writer.tag(2, WireType.Bit64).double(sample.value);
  for (const [name, value] of labels) {
    writer.tag(3, WireType.LengthDelimited).fork();
    if (name !== "") writer.tag(1, WireType.LengthDelimited).string(name);
    if (value !== "") writer.tag(2, WireType.LengthDelimited).string(value);
    writer.join();
  }
  if (sample.kind !== undefined) writer.tag(4, WireType.Varint).uint32(kinds[sample.kind]);
  writer.join();
}

/** `items` in order: the array itself when it is already, which is the common case, else a sorted copy. */
function sorted<T>(items: readonly T[], compare: (a: T, b: T) => number): readonly T[] {
  for (let index = 1; index < items.length; index += 1) {
    // Both places are below the length.
    if (compare(items[index - 1] as T, items[index] as T) > 0) return items.toSorted(compare);
  }
  return items;
}

function compareSamples(a: SortableSample, b: SortableSample): number {
  const byName = compareBytewise(a.sample.name, b.sample.name);
  if (byName !== 0) return byName;
  const shared = Math.min(a.labels.length, b.labels.length);
  for (let index = 0; index < shared; index += 1) {
    const [nameA, valueA] = a.labels[index] as LabelEntry; // The index is below both lengths.
    const [nameB, valueB] = b.labels[index] as LabelEntry;
    const byLabel = compareBytewise(nameA, nameB) || compareBytewise(valueA, valueB);
    if (byLabel !== 0) return byLabel;
  }
  return a.labels.length - b.labels.length;
}

function compareLabelNames(a: LabelEntry, b: LabelEntry): number {
  return compareBytewise(a[0], b[0]);
}

/**
 * Compares as the UTF-8 bytes of both compare. UTF-16 units compare the same way, except that surrogates, which stand
 * for the code points beyond U+FFFF, come before U+E000 to U+FFFF.
 */
function compareBytewise(a: string, b: string): number {
  if (a === b) return 0;
  const shared = Math.min(a.length, b.length);
  for (let index = 0; index < shared; index += 1) {
    const unitA = a.charCodeAt(index);
    const unitB = b.charCodeAt(index);
    if (unitA !== unitB) return codePointRank(unitA) - codePointRank(unitB);
  }
  return a.length - b.length;
}

function codePointRank(unit: number): number {
  return unit >= 0xd800 && unit < 0xe000 ? unit + 0x10000 : unit;
}

function wrongType(field: string, expected: string, value: unknown): TypeError {
  return new TypeError(`expected ${field} to be ${expected}, got ${value === null ? "null" : typeof value}`);
}
