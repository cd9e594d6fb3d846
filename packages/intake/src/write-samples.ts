import { tag } from "@mon/store";
import { isZeroAt } from "./double.ts";
import type { SentLabel, SentSample } from "./sent-sample.ts";
import { Slab } from "./slab.ts";

/** Canonical bytes, and where their values came from. */
export interface WrittenSamples {
  readonly bytes: Uint8Array;
  /** By value that is not left out: where it stood in what was sent. */
  readonly valueStarts: readonly number[];
}

const slab = new Slab();

/** The canonical bytes (R2) of samples that are in order, their labels too, by copying ranges of what was sent. */
export function writeSamples(samples: readonly SentSample[]): WrittenSamples {
  const sizes = samples.map(sampleSize);
  const bytes = slab.take(sizes.reduce((sum, size) => sum + 1 + varintSize(size) + size, 0));
  const valueStarts: number[] = [];
  let position = 0;
  for (let i = 0; i < samples.length; i++) {
    const sample = samples[i]!;
    position = putVarint(bytes, position, tag.samples, sizes[i]!);
    position = putText(bytes, position, tag.name, sample.texts, sample.nameStart, sample.nameEnd);
    if (hasValue(sample)) {
      valueStarts.push(sample.valueStart);
      bytes[position++] = tag.value;
      position = copy(bytes, position, sample.bytes, sample.valueStart, sample.valueStart + 8);
    }
    for (const label of sample.labels) {
      position = putVarint(bytes, position, tag.labels, labelSize(label));
      position = putText(bytes, position, tag.labelName, sample.texts, label.nameStart, label.nameEnd);
      position = putText(bytes, position, tag.labelValue, sample.texts, label.valueStart, label.valueEnd);
    }
    if (sample.kind !== 0) position = putVarint(bytes, position, tag.kind, sample.kind);
    if (sample.flags !== 0) position = putVarint(bytes, position, tag.flags, sample.flags);
  }
  return { bytes, valueStarts };
}

/** Canonical bytes leave out +0. */
function hasValue({ bytes, valueStart }: SentSample): boolean {
  return valueStart >= 0 && !isZeroAt(bytes, valueStart);
}

function sampleSize(sample: SentSample): number {
  let size = textSize(sample.nameEnd - sample.nameStart);
  if (hasValue(sample)) size += 9;
  for (const label of sample.labels) {
    const body = labelSize(label);
    size += 1 + varintSize(body) + body;
  }
  if (sample.kind !== 0) size += 1 + varintSize(sample.kind);
  if (sample.flags !== 0) size += 1 + varintSize(sample.flags);
  return size;
}

function labelSize({ nameStart, nameEnd, valueStart, valueEnd }: SentLabel): number {
  return textSize(nameEnd - nameStart) + textSize(valueEnd - valueStart);
}

/** The size of a text field; an empty one is left out. */
function textSize(length: number): number {
  return length === 0 ? 0 : 1 + varintSize(length) + length;
}

/** Bytes that an unsigned 32-bit integer takes as a minimal varint. */
function varintSize(value: number): number {
  if (value < 0x80) return 1;
  if (value < 0x4000) return 2;
  if (value < 0x200000) return 3;
  return value < 0x10000000 ? 4 : 5;
}

/** Writes a tag and a minimal varint. @returns where they end */
function putVarint(bytes: Uint8Array, at: number, fieldTag: number, value: number): number {
  let position = at;
  bytes[position++] = fieldTag;
  let rest = value;
  while (rest >= 0x80) {
    bytes[position++] = (rest & 0x7f) | 0x80;
    rest >>>= 7;
  }
  bytes[position++] = rest;
  return position;
}

function putText(
  bytes: Uint8Array,
  at: number,
  fieldTag: number,
  from: Uint8Array,
  start: number,
  end: number,
): number {
  if (start === end) return at;
  return copy(bytes, putVarint(bytes, at, fieldTag, end - start), from, start, end);
}

/** Copies bytes one by one: names are too short for a call of `set` to pay. @returns where the copy ends */
function copy(bytes: Uint8Array, at: number, from: Uint8Array, start: number, end: number): number {
  let position = at;
  for (let i = start; i < end; i++) bytes[position++] = from[i]!;
  return position;
}
