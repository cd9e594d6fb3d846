import { valueBits } from "./fold.ts";
import type { Sample } from "./sample.ts";
import { tag } from "./tag.ts";

const textEncoder = new TextEncoder();

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
 * @throws {RangeError} when a sample has no name, a series appears twice, or a label name twice in one series
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
  if (sample.name === "") throw new RangeError("expected a name for each sample, got an empty one");
  const labels = sample.labels.map((label) => ({
    text: label.name,
    name: textEncoder.encode(label.name),
    value: textEncoder.encode(label.value),
  }));
  labels.sort((a, b) => compareBytes(a.name, b.name));
  for (let i = 1; i < labels.length; i++) {
    if (compareBytes(labels[i - 1]!.name, labels[i]!.name) === 0) {
      throw new RangeError(`expected each label name once, got ${labels[i]!.text} twice`);
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

function labelSize(label: EncodedLabel): number {
  return textSize(label.name) + textSize(label.value);
}

/** The size of a text field; an empty one is left out. */
function textSize(text: Uint8Array): number {
  return text.length === 0 ? 0 : 1 + varintSize(text.length) + text.length;
}

function sampleSize({ name, labels, sample }: EncodedSample): number {
  let size = textSize(name);
  if (!Object.is(sample.value, 0)) size += 9;
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
  if (!Object.is(sample.value, 0)) writer.double(tag.value, sample);
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

/** Bytes that `value`, an unsigned 32-bit integer, takes as a minimal varint. */
function varintSize(value: number): number {
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
