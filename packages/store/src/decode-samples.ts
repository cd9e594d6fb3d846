import { StoreError } from "./errors.ts";
import type { ValueBits } from "./fold.ts";
import type { Kind, Sample } from "./sample.ts";
import { tag } from "./tag.ts";

const textDecoder = new TextDecoder("utf-8", { fatal: true, ignoreBOM: true });

/**
 * The samples of canonical bytes, in order. Takes what {@link encodeSamples} makes and nothing else: what it returns
 * encodes to the same bytes again. For many fragments of one host use {@link SampleReader}, which makes no objects for
 * series that it has seen.
 *
 * @throws {StoreError} STORE_FRAGMENT_INVALID
 */
export function decodeSamples(bytes: Uint8Array): Sample[] {
  const samples: Sample[] = [];
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  let previous: SampleParts | undefined;
  let position = 0;
  while (position < bytes.length) {
    if (bytes[position] !== tag.samples) throw invalid(position);
    const body = readLength(bytes, position + 1, bytes.length);
    const parts = readSample(bytes, view, body);
    if (previous !== undefined && compareParts(bytes, previous, parts) >= 0) throw invalid(body.start);
    samples.push(decodeSample(bytes, parts));
    previous = parts;
    position = body.end;
  }
  return samples;
}

/** Part of some bytes. */
interface Run {
  readonly start: number;
  readonly end: number;
}

/** Where the texts of a label stand; an absent one is an empty run. */
interface LabelParts {
  readonly name: Run;
  readonly value: Run;
}

/** A sample whose texts are not decoded. */
interface SampleParts {
  readonly name: Run;
  readonly labels: readonly LabelParts[];
  readonly value: number;
  readonly nan: ValueBits | undefined;
  readonly kind: number;
  readonly flags: number;
}

function readSample(bytes: Uint8Array, view: DataView, { start, end }: Run): SampleParts {
  const name = readText(bytes, start, end, tag.name);
  if (name === undefined) throw invalid(start);
  let position = name.end;
  let value = 0;
  let nan: ValueBits | undefined;
  if (position < end && bytes[position] === tag.value) {
    if (position + 9 > end) throw invalid(position);
    value = view.getFloat64(position + 1, true);
    // Canonical bytes leave +0 out.
    if (Object.is(value, 0)) throw invalid(position);
    if (Number.isNaN(value))
      nan = { high: view.getUint32(position + 5, true), low: view.getUint32(position + 1, true) };
    position += 9;
  }
  const labels: LabelParts[] = [];
  while (position < end && bytes[position] === tag.labels) {
    const body = readLength(bytes, position + 1, end);
    const label = readLabel(bytes, body);
    const previous = labels.at(-1);
    if (previous !== undefined && compareRuns(bytes, previous.name, label.name) >= 0) throw invalid(position);
    labels.push(label);
    position = body.end;
  }
  let kind = 0;
  if (position < end && bytes[position] === tag.kind) {
    const field = readVarint(bytes, position + 1, end);
    if (field.value === 0) throw invalid(position);
    kind = field.value;
    position = field.end;
  }
  let flags = 0;
  if (position < end && bytes[position] === tag.flags) {
    const field = readVarint(bytes, position + 1, end);
    if (field.value === 0) throw invalid(position);
    flags = field.value;
    position = field.end;
  }
  if (position !== end) throw invalid(position);
  return { name, labels, value, nan, kind, flags };
}

function readLabel(bytes: Uint8Array, { start, end }: Run): LabelParts {
  const name = readText(bytes, start, end, tag.labelName) ?? { start, end: start };
  const value = readText(bytes, name.end, end, tag.labelValue) ?? { start: name.end, end: name.end };
  if (value.end !== end) throw invalid(value.end);
  return { name, value };
}

function decodeSample(bytes: Uint8Array, { name, labels, value, nan, kind, flags }: SampleParts): Sample {
  const sample = {
    name: decodeText(bytes, name),
    labels: labels.map((label) => ({
      name: decodeText(bytes, label.name),
      value: decodeText(bytes, label.value),
    })),
    // Which kinds there are is for intake to know: a newer one may let more pass.
    kind: kind as Kind,
    value,
    flags,
  };
  return nan === undefined ? sample : { ...sample, nan };
}

/** The order of samples in canonical bytes: by name, then label by label, bytewise. */
function compareParts(bytes: Uint8Array, a: SampleParts, b: SampleParts): number {
  const byName = compareRuns(bytes, a.name, b.name);
  if (byName !== 0) return byName;
  const shared = Math.min(a.labels.length, b.labels.length);
  for (let i = 0; i < shared; i++) {
    const byLabel =
      compareRuns(bytes, a.labels[i]!.name, b.labels[i]!.name) ||
      compareRuns(bytes, a.labels[i]!.value, b.labels[i]!.value);
    if (byLabel !== 0) return byLabel;
  }
  return a.labels.length - b.labels.length;
}

function compareRuns(bytes: Uint8Array, a: Run, b: Run): number {
  const shared = Math.min(a.end - a.start, b.end - b.start);
  for (let i = 0; i < shared; i++) {
    const difference = bytes[a.start + i]! - bytes[b.start + i]!;
    if (difference !== 0) return difference;
  }
  return a.end - a.start - (b.end - b.start);
}

/** The content of a text field at `position`, or undefined when another field stands there; never an empty one. */
function readText(bytes: Uint8Array, position: number, limit: number, fieldTag: number): Run | undefined {
  if (position >= limit || bytes[position] !== fieldTag) return undefined;
  const text = readLength(bytes, position + 1, limit);
  if (text.start === text.end) throw invalid(position);
  return text;
}

/** Up to so many bytes a text of ASCII is made quicker here than by a call of the decoder. */
const shortTextBytes = 48;

function decodeText(bytes: Uint8Array, { start, end }: Run): string {
  if (end - start <= shortTextBytes) {
    let text = "";
    let i = start;
    for (; i < end && bytes[i]! < 0x80; i++) text += String.fromCharCode(bytes[i]!);
    if (i === end) return text;
  }
  try {
    return textDecoder.decode(bytes.subarray(start, end));
  } catch {
    // The decoder throws for nothing but bytes that are not UTF-8.
    throw invalid(start);
  }
}

function readLength(bytes: Uint8Array, position: number, limit: number): Run {
  const length = readVarint(bytes, position, limit);
  const end = length.end + length.value;
  if (end > limit) throw invalid(position);
  return { start: length.end, end };
}

/** A minimal varint of an unsigned 32-bit integer. */
function readVarint(bytes: Uint8Array, start: number, limit: number): { value: number; end: number } {
  let value = 0;
  for (let position = start, shift = 0; position < limit && shift < 35; position++, shift += 7) {
    const byte = bytes[position]!;
    value |= (byte & 0x7f) << shift;
    if (byte >= 0x80) continue;
    // Of several bytes the last must not be 0, and a fifth has room for four bits.
    if ((byte === 0 && shift > 0) || (shift === 28 && byte > 0x0f)) throw invalid(start);
    return { value: value >>> 0, end: position + 1 };
  }
  throw invalid(start);
}

function invalid(position: number): StoreError {
  return new StoreError(
    "STORE_FRAGMENT_INVALID",
    `expected a canonical fragment, got something else at byte ${position}`,
  );
}
