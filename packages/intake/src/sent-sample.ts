import { tag } from "@mon/store";
import { WireReader } from "./wire-reader.ts";

/** A label as sent: where its texts stand. An absent one is an empty range. */
export interface SentLabel {
  nameStart: number;
  nameEnd: number;
  valueStart: number;
  valueEnd: number;
}

/** A sample as sent: where its parts stand, nothing checked. */
export interface SentSample {
  /** Its place in the report. */
  readonly place: number;
  /** The bytes in which its value stands. */
  readonly bytes: Uint8Array;
  /** The bytes in which its name and labels stand. */
  readonly texts: Uint8Array;
  nameStart: number;
  nameEnd: number;
  /** Where the eight bytes of its value stand; −1 when it has none. */
  valueStart: number;
  readonly labels: SentLabel[];
  /** As a signed 32-bit integer. */
  kind: number;
  flags: number;
}

const sampleReader = new WireReader();
const labelReader = new WireReader();

/** Reads a `mon.v1.Sample` that stands in `bytes[start, end)`. @throws {MalformedError} */
export function readSample(bytes: Uint8Array, start: number, end: number, place: number): SentSample {
  const sample: SentSample = {
    place,
    bytes,
    texts: bytes,
    nameStart: 0,
    nameEnd: 0,
    valueStart: -1,
    labels: [],
    kind: 0,
    flags: 0,
  };
  const reader = sampleReader;
  reader.open(bytes, start, end);
  while (!reader.done) {
    const fieldTag = reader.tag();
    switch (fieldTag) {
      case tag.name:
        sample.nameStart = reader.run();
        sample.nameEnd = reader.position;
        break;
      case tag.value:
        sample.valueStart = reader.fixed(8);
        break;
      case tag.labels:
        sample.labels.push(readLabel(bytes, reader.run(), reader.position));
        break;
      case tag.kind:
        sample.kind = reader.uint32() | 0;
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

function readLabel(bytes: Uint8Array, start: number, end: number): SentLabel {
  const label: SentLabel = { nameStart: 0, nameEnd: 0, valueStart: 0, valueEnd: 0 };
  const reader = labelReader;
  reader.open(bytes, start, end);
  while (!reader.done) {
    const fieldTag = reader.tag();
    if (fieldTag === tag.labelName) {
      label.nameStart = reader.run();
      label.nameEnd = reader.position;
    } else if (fieldTag === tag.labelValue) {
      label.valueStart = reader.run();
      label.valueEnd = reader.position;
    } else {
      reader.skip(fieldTag);
    }
  }
  return label;
}

/** The order of samples in canonical bytes: by name, then label by label, bytewise. Labels are sorted. */
export function compareSeries(a: SentSample, b: SentSample): number {
  const byName = compareRuns(a.texts, a.nameStart, a.nameEnd, b.texts, b.nameStart, b.nameEnd);
  if (byName !== 0) return byName;
  const shared = Math.min(a.labels.length, b.labels.length);
  for (let i = 0; i < shared; i++) {
    const one = a.labels[i]!;
    const other = b.labels[i]!;
    const byLabel =
      compareRuns(a.texts, one.nameStart, one.nameEnd, b.texts, other.nameStart, other.nameEnd) ||
      compareRuns(a.texts, one.valueStart, one.valueEnd, b.texts, other.valueStart, other.valueEnd);
    if (byLabel !== 0) return byLabel;
  }
  return a.labels.length - b.labels.length;
}

/** The order of labels of one sample: by name, bytewise. */
export function compareLabels(texts: Uint8Array, a: SentLabel, b: SentLabel): number {
  return compareRuns(texts, a.nameStart, a.nameEnd, texts, b.nameStart, b.nameEnd);
}

function compareRuns(
  a: Uint8Array,
  aStart: number,
  aEnd: number,
  b: Uint8Array,
  bStart: number,
  bEnd: number,
): number {
  const shared = Math.min(aEnd - aStart, bEnd - bStart);
  for (let i = 0; i < shared; i++) {
    const difference = a[aStart + i]! - b[bStart + i]!;
    if (difference !== 0) return difference;
  }
  return aEnd - aStart - (bEnd - bStart);
}
