import { StoreError } from "./errors.ts";
import { type ValueBits, valueBits } from "./fold.ts";
import { murmur3 } from "./murmur3.ts";
import type { Kind, Label, Sample } from "./sample.ts";

/**
 * What one program said of one host at one instant: the canonical bytes of its samples, named by their hash (R1 to R3).
 * Writing a fragment twice changes nothing; fragments of one instant converge by set union.
 */
export interface Fragment {
  readonly hostId: string;
  /** The instant, in whole milliseconds since the Unix epoch. */
  readonly timestampMs: number;
  /** First 32 bits of the id; see {@link fragmentId}. */
  readonly idHigh: number;
  /** Last 32 bits of the id. */
  readonly idLow: number;
  /** Canonical bytes of the samples: field 3 of `mon.v1.Report`, repeated. Owned by whoever made the fragment. */
  readonly bytes: Uint8Array;
}

/** Makes the fragment of samples in any order. @throws {RangeError} when a series appears twice */
export function fragmentFromSamples(
  hostId: string,
  timestampMs: number,
  samples: readonly Sample[],
): Fragment {
  const bytes = encodeSamples(samples);
  const id = murmur3(bytes);
  return { hostId, timestampMs, idHigh: id.high, idLow: id.low, bytes };
}

/** A fragment's id as 16 hexadecimal digits. */
export function fragmentId(fragment: Pick<Fragment, "idHigh" | "idLow">): string {
  return fragment.idHigh.toString(16).padStart(8, "0") + fragment.idLow.toString(16).padStart(8, "0");
}

const textEncoder = new TextEncoder();
const textDecoder = new TextDecoder("utf-8", { ignoreBOM: true });

/** A label as its UTF-8 bytes. */
interface EncodedLabel {
  readonly name: Uint8Array;
  readonly value: Uint8Array;
}

/** A sample whose texts are UTF-8 bytes, labels sorted. */
interface EncodedSample {
  readonly name: Uint8Array;
  readonly labels: readonly EncodedLabel[];
  readonly sample: Sample;
}

/**
 * The canonical bytes of samples (R2): fields in order, minimal varints, defaults left out, labels sorted by name,
 * samples by (name, labels), all bytewise. O(n log n).
 *
 * @throws {RangeError} when a series appears twice, or a label name twice in one series
 */
export function encodeSamples(samples: readonly Sample[]): Uint8Array {
  const encoded = samples.map(encodeTexts);
  encoded.sort(compareSeries);
  let size = 0;
  const sizes: number[] = [];
  for (const [index, sample] of encoded.entries()) {
    if (index > 0 && compareSeries(encoded[index - 1]!, sample) === 0) {
      throw new RangeError(`expected each series once, got ${sample.sample.name} twice with the same labels`);
    }
    const bodySize = sampleSize(sample);
    sizes.push(bodySize);
    size += 1 + varintSize(bodySize) + bodySize;
  }
  const writer = new Writer(size);
  for (const [index, sample] of encoded.entries()) writeSample(writer, sample, sizes[index]!);
  return writer.bytes;
}

function encodeTexts(sample: Sample): EncodedSample {
  const labels = sample.labels.map((label) => ({
    name: textEncoder.encode(label.name),
    value: textEncoder.encode(label.value),
  }));
  labels.sort((a, b) => compareBytes(a.name, b.name));
  for (let i = 1; i < labels.length; i++) {
    if (compareBytes(labels[i - 1]!.name, labels[i]!.name) === 0) {
      throw new RangeError(`expected each label name once, got ${textDecoder.decode(labels[i]!.name)} twice`);
    }
  }
  return { name: textEncoder.encode(sample.name), labels, sample };
}

function compareSeries(a: EncodedSample, b: EncodedSample): number {
  const byName = compareBytes(a.name, b.name);
  if (byName !== 0) return byName;
  const shared = Math.min(a.labels.length, b.labels.length);
  for (let i = 0; i < shared; i++) {
    const byLabel =
      compareBytes(a.labels[i]!.name, b.labels[i]!.name) ||
      compareBytes(a.labels[i]!.value, b.labels[i]!.value);
    if (byLabel !== 0) return byLabel;
  }
  return a.labels.length - b.labels.length;
}

function compareBytes(a: Uint8Array, b: Uint8Array): number {
  const shared = Math.min(a.length, b.length);
  for (let i = 0; i < shared; i++) {
    const difference = a[i]! - b[i]!;
    if (difference !== 0) return difference;
  }
  return a.length - b.length;
}

function isZero(value: number): boolean {
  return Object.is(value, 0);
}

function labelSize(label: EncodedLabel): number {
  return textSize(label.name) + textSize(label.value);
}

/** The size of a text field; an empty one is left out. */
function textSize(text: Uint8Array): number {
  return text.length === 0 ? 0 : 1 + varintSize(text.length) + text.length;
}

function sampleSize({ name, labels, sample }: EncodedSample): number {
  let size = textSize(name);
  if (!isZero(sample.value)) size += 9;
  for (const label of labels) {
    const body = labelSize(label);
    size += 1 + varintSize(body) + body;
  }
  if (sample.kind !== 0) size += 1 + varintSize(sample.kind);
  if (sample.flags !== 0) size += 1 + varintSize(sample.flags);
  return size;
}

function writeSample(writer: Writer, { name, labels, sample }: EncodedSample, bodySize: number): void {
  writer.varint(tag.samples);
  writer.varint(bodySize);
  writer.text(tag.name, name);
  if (!isZero(sample.value)) writer.double(tag.value, sample);
  for (const label of labels) {
    writer.varint(tag.labels);
    writer.varint(labelSize(label));
    writer.text(tag.labelName, label.name);
    writer.text(tag.labelValue, label.value);
  }
  if (sample.kind !== 0) {
    writer.varint(tag.kind);
    writer.varint(sample.kind);
  }
  if (sample.flags !== 0) {
    writer.varint(tag.flags);
    writer.varint(sample.flags);
  }
}

/** Field tags (number << 3 | wire type) of R1; all fit one byte. */
export const tag = {
  hostId: 0x0a,
  timestampMs: 0x11,
  samples: 0x1a,
  time: 0x22,
  name: 0x0a,
  value: 0x11,
  labels: 0x1a,
  kind: 0x20,
  flags: 0x28,
  labelName: 0x0a,
  labelValue: 0x12,
} as const;

/** Bytes that `value`, an unsigned 32-bit integer, takes as a minimal varint. */
export function varintSize(value: number): number {
  if (value < 0x80) return 1;
  if (value < 0x4000) return 2;
  if (value < 0x200000) return 3;
  return value < 0x10000000 ? 4 : 5;
}

class Writer {
  readonly bytes: Uint8Array;
  readonly #view: DataView;
  #position = 0;

  constructor(size: number) {
    this.bytes = new Uint8Array(size);
    this.#view = new DataView(this.bytes.buffer);
  }

  varint(value: number): void {
    let rest = value;
    while (rest >= 0x80) {
      this.bytes[this.#position++] = (rest & 0x7f) | 0x80;
      rest >>>= 7;
    }
    this.bytes[this.#position++] = rest;
  }

  text(fieldTag: number, text: Uint8Array): void {
    if (text.length === 0) return;
    this.varint(fieldTag);
    this.varint(text.length);
    this.bytes.set(text, this.#position);
    this.#position += text.length;
  }

  double(fieldTag: number, sample: Sample): void {
    this.varint(fieldTag);
    const bits = valueBits(sample);
    this.#view.setUint32(this.#position, bits.low, true);
    this.#view.setUint32(this.#position + 4, bits.high, true);
    this.#position += 8;
  }
}

/**
 * The samples of canonical bytes, in order. For many fragments of one host use {@link SampleReader}, which makes no
 * objects for series that it has seen.
 *
 * @throws {StoreError} STORE_FRAGMENT_INVALID
 */
export function decodeSamples(bytes: Uint8Array): Sample[] {
  const samples: Sample[] = [];
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  let position = 0;
  while (position < bytes.length) {
    if (bytes[position] !== tag.samples) throw invalid(position);
    const body = readLength(bytes, position + 1, bytes.length);
    samples.push(decodeSample(bytes, view, body.start, body.end));
    position = body.end;
  }
  return samples;
}

function decodeSample(bytes: Uint8Array, view: DataView, start: number, end: number): Sample {
  let name = "";
  let value = 0;
  let nan: ValueBits | undefined;
  let kind: Kind = 0;
  let flags = 0;
  const labels: Label[] = [];
  let position = start;
  while (position < end) {
    const fieldTag = bytes[position++];
    switch (fieldTag) {
      case tag.name: {
        const text = readLength(bytes, position, end);
        name = textDecoder.decode(bytes.subarray(text.start, text.end));
        position = text.end;
        break;
      }
      case tag.value:
        if (position + 8 > end) throw invalid(position);
        value = view.getFloat64(position, true);
        if (Number.isNaN(value))
          nan = { high: view.getUint32(position + 4, true), low: view.getUint32(position, true) };
        position += 8;
        break;
      case tag.labels: {
        const body = readLength(bytes, position, end);
        labels.push(decodeLabel(bytes, body.start, body.end));
        position = body.end;
        break;
      }
      case tag.kind: {
        const field = readVarint(bytes, position, end);
        // Canonical bytes hold only kinds that intake has checked.
        kind = field.value as Kind;
        position = field.end;
        break;
      }
      case tag.flags: {
        const field = readVarint(bytes, position, end);
        flags = field.value;
        position = field.end;
        break;
      }
      default:
        throw invalid(position - 1);
    }
  }
  return nan === undefined ? { name, labels, kind, value, flags } : { name, labels, kind, value, nan, flags };
}

function decodeLabel(bytes: Uint8Array, start: number, end: number): Label {
  let name = "";
  let value = "";
  let position = start;
  while (position < end) {
    const fieldTag = bytes[position++];
    if (fieldTag !== tag.labelName && fieldTag !== tag.labelValue) throw invalid(position - 1);
    const text = readLength(bytes, position, end);
    const decoded = textDecoder.decode(bytes.subarray(text.start, text.end));
    if (fieldTag === tag.labelName) name = decoded;
    else value = decoded;
    position = text.end;
  }
  return { name, value };
}

function readLength(bytes: Uint8Array, position: number, limit: number): { start: number; end: number } {
  const length = readVarint(bytes, position, limit);
  const end = length.end + length.value;
  if (end > limit) throw invalid(position);
  return { start: length.end, end };
}

function readVarint(bytes: Uint8Array, start: number, limit: number): { value: number; end: number } {
  let value = 0;
  for (let position = start, shift = 0; position < limit && shift < 35; position++, shift += 7) {
    const byte = bytes[position]!;
    value |= (byte & 0x7f) << shift;
    if (byte < 0x80) return { value: value >>> 0, end: position + 1 };
  }
  throw invalid(start);
}

function invalid(position: number): StoreError {
  return new StoreError(
    "STORE_FRAGMENT_INVALID",
    `expected a canonical fragment, got something else at byte ${position}`,
  );
}
