import { tag } from "@mon/store";
import { isLabelName, isMetricName, isUtf8 } from "./characters.ts";
import { doubleAt, isFiniteAt, isZeroAt } from "./double.ts";
import { type IntakeRules, isInRange, type RangeRules } from "./rules.ts";

/**
 * Reads a run of samples in one pass, without an object, and tells whether it is canonical (R2) and passes every rule,
 * so that its bytes can be stored as they came. Whatever is not plainly so, from an unknown field to a NaN, is
 * irregular and goes to a {@link ReportCleaner}, which finds out why.
 */
export class RunScanner {
  readonly #rules: IntakeRules;
  readonly #ranges: RangeRules;
  #bytes: Uint8Array = new Uint8Array(0);
  #position = 0;
  #samples = 0;
  /** The name of the sample before the one under the eye, and where its labels begin and end. */
  #nameStart = 0;
  #nameEnd = 0;
  #labelsStart = 0;
  #labelsEnd = 0;

  constructor(rules: IntakeRules, ranges: RangeRules) {
    this.#rules = rules;
    this.#ranges = ranges;
  }

  /** @returns how many samples a regular run holds; 0 when it is irregular, or holds none */
  scan(run: Uint8Array): number {
    this.#bytes = run;
    this.#position = 0;
    this.#samples = 0;
    const { length } = run;
    while (this.#position < length) {
      if (run[this.#position++] !== tag.samples) return 0;
      const sampleLength = this.#length(length);
      if (sampleLength < 0 || !this.#scanSample(this.#position + sampleLength)) return 0;
      this.#samples++;
    }
    return this.#samples;
  }

  #scanSample(end: number): boolean {
    const bytes = this.#bytes;
    if (bytes[this.#position++] !== tag.name) return false;
    const nameLength = this.#length(end);
    if (nameLength < 0 || nameLength > this.#rules.nameBytesMax) return false;
    const nameStart = this.#position;
    const nameEnd = nameStart + nameLength;
    if (!isMetricName(bytes, nameStart, nameEnd)) return false;
    this.#position = nameEnd;

    if (nameEnd < end && bytes[nameEnd] === tag.value) {
      if (nameEnd + 9 > end || !isPlainNumber(bytes, nameEnd + 1)) return false;
      this.#position = nameEnd + 9;
    }
    if (!this.#ranges.isEmpty && !this.#isInRange(nameStart, nameEnd)) return false;

    const labelsStart = this.#position;
    if (labelsStart < end && bytes[labelsStart] === tag.labels && !this.#scanLabels(end)) return false;
    const labelsEnd = this.#position;

    if (this.#samples > 0 && !this.#isAfter(nameStart, nameEnd, labelsStart, labelsEnd)) return false;
    this.#nameStart = nameStart;
    this.#nameEnd = nameEnd;
    this.#labelsStart = labelsStart;
    this.#labelsEnd = labelsEnd;

    if (this.#position < end && bytes[this.#position] === tag.kind) {
      const kind = bytes[this.#position + 1];
      if (kind !== 1 && kind !== 2) return false;
      this.#position += 2;
    }
    // Flags are rare; they go the long way.
    return this.#position === end;
  }

  #scanLabels(end: number): boolean {
    const bytes = this.#bytes;
    let previousStart = 0;
    let previousEnd = 0;
    let labels = 0;
    while (this.#position < end && bytes[this.#position] === tag.labels) {
      if (++labels > this.#rules.labelsMax) return false;
      this.#position++;
      const labelLength = this.#length(end);
      if (labelLength < 0) return false;
      const labelEnd = this.#position + labelLength;
      if (bytes[this.#position++] !== tag.labelName) return false;
      const nameLength = this.#length(labelEnd);
      if (nameLength < 0 || nameLength > this.#rules.nameBytesMax) return false;
      const nameStart = this.#position;
      const nameEnd = nameStart + nameLength;
      if (!isLabelName(bytes, nameStart, nameEnd)) return false;
      if (labels > 1 && compareRuns(bytes, previousStart, previousEnd, nameStart, nameEnd) >= 0) return false;
      previousStart = nameStart;
      previousEnd = nameEnd;
      this.#position = nameEnd;
      if (nameEnd < labelEnd) {
        if (bytes[this.#position++] !== tag.labelValue) return false;
        const valueLength = this.#length(labelEnd);
        if (valueLength <= 0 || valueLength > this.#rules.labelValueBytesMax) return false;
        if (!isUtf8(bytes, this.#position, this.#position + valueLength)) return false;
        this.#position += valueLength;
        if (this.#position !== labelEnd) return false;
      }
    }
    return true;
  }

  /** Whether the series under the eye sorts after the one before it. */
  #isAfter(nameStart: number, nameEnd: number, labelsStart: number, labelsEnd: number): boolean {
    const bytes = this.#bytes;
    const byName = compareRuns(bytes, this.#nameStart, this.#nameEnd, nameStart, nameEnd);
    if (byName !== 0) return byName < 0;
    return compareLabels(bytes, this.#labelsStart, this.#labelsEnd, labelsStart, labelsEnd) < 0;
  }

  #isInRange(nameStart: number, nameEnd: number): boolean {
    const bytes = this.#bytes;
    const rule = this.#ranges.findBytes(bytes, nameStart, nameEnd);
    if (rule === undefined) return true;
    const hasValue = this.#position > nameEnd;
    return isInRange(rule, hasValue ? doubleAt(bytes, nameEnd + 1) : 0);
  }

  /** Reads a minimal varint of up to four bytes that must not reach past `limit`; -1 when it is none. */
  #length(limit: number): number {
    const bytes = this.#bytes;
    const first = bytes[this.#position]!;
    if (first < 0x80) {
      this.#position++;
      return this.#position + first <= limit ? first : -1;
    }
    let value = first & 0x7f;
    for (let i = 1; i < 4; i++) {
      const byte = bytes[this.#position + i];
      if (byte === undefined || byte === 0) return -1;
      value |= (byte & 0x7f) << (7 * i);
      if (byte < 0x80) {
        this.#position += i + 1;
        return this.#position + value <= limit ? value : -1;
      }
    }
    return -1;
  }
}

/** Whether eight bytes are a finite double that canonical bytes would spell out: any but +0. */
function isPlainNumber(bytes: Uint8Array, at: number): boolean {
  return isFiniteAt(bytes, at) && !isZeroAt(bytes, at);
}

/** Bytewise order of two runs. */
function compareRuns(bytes: Uint8Array, aStart: number, aEnd: number, bStart: number, bEnd: number): number {
  const shared = Math.min(aEnd - aStart, bEnd - bStart);
  for (let i = 0; i < shared; i++) {
    const difference = bytes[aStart + i]! - bytes[bStart + i]!;
    if (difference !== 0) return difference;
  }
  return aEnd - aStart - (bEnd - bStart);
}

/** Order of two runs of scanned labels: by name, then value, label by label. */
function compareLabels(
  bytes: Uint8Array,
  aStart: number,
  aEnd: number,
  bStart: number,
  bEnd: number,
): number {
  let a = aStart;
  let b = bStart;
  while (a < aEnd && b < bEnd) {
    const aLabel = textStart(bytes, a);
    const bLabel = textStart(bytes, b);
    const aLabelEnd = aLabel + textLength(bytes, a);
    const bLabelEnd = bLabel + textLength(bytes, b);
    const aName = textStart(bytes, aLabel);
    const bName = textStart(bytes, bLabel);
    const aNameEnd = aName + textLength(bytes, aLabel);
    const bNameEnd = bName + textLength(bytes, bLabel);
    const byName = compareRuns(bytes, aName, aNameEnd, bName, bNameEnd);
    if (byName !== 0) return byName;
    // An absent value is empty.
    const aValue = aNameEnd < aLabelEnd ? textStart(bytes, aNameEnd) : aLabelEnd;
    const bValue = bNameEnd < bLabelEnd ? textStart(bytes, bNameEnd) : bLabelEnd;
    const byValue = compareRuns(bytes, aValue, aLabelEnd, bValue, bLabelEnd);
    if (byValue !== 0) return byValue;
    a = aLabelEnd;
    b = bLabelEnd;
  }
  return (a < aEnd ? 1 : 0) - (b < bEnd ? 1 : 0);
}

/** Where the content of the scanned field at `at` begins. */
function textStart(bytes: Uint8Array, at: number): number {
  let position = at + 1;
  while (bytes[position]! >= 0x80) position++;
  return position + 1;
}

/** How long the content of the scanned field at `at` is. */
function textLength(bytes: Uint8Array, at: number): number {
  let value = 0;
  for (let position = at + 1, shift = 0; ; position++, shift += 7) {
    const byte = bytes[position]!;
    value |= (byte & 0x7f) << shift;
    if (byte < 0x80) return value;
  }
}
