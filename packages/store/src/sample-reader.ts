import { decodeSamples } from "./decode-samples.ts";
import { StoreError } from "./errors.ts";
import type { Kind, Series } from "./sample.ts";
import { tag } from "./tag.ts";

/**
 * Called for each sample, in order. `slot` indexes {@link SampleReader.series}; the value is given as the two unsigned
 * 32-bit halves of its bits, because JavaScript does not keep a NaN's payload when it passes one on as a number.
 */
export type SampleVisitor = (slot: number, high: number, low: number, flags: number) => void;

/**
 * Reads the samples of many canonical fragments of one host. Each series has a slot, a small integer that stays the
 * same for all fragments read; once a series has been seen, reading its samples makes no objects.
 *
 * Fragments of one program list the same series in the same order, so the slot of the n-th sample is guessed from the
 * fragment before and confirmed by comparing bytes; a wrong guess costs one map look-up.
 */
export class SampleReader {
  /** By slot. A series that came with several kinds has the smallest (R4). */
  readonly series: Series[] = [];
  readonly #names: Uint8Array[] = [];
  readonly #labels: Uint8Array[] = [];
  readonly #slots = new Map<string, number>();
  #guesses: number[] = [];
  #bytes: Uint8Array = new Uint8Array(0);
  #view: DataView = new DataView(this.#bytes.buffer);
  #position = 0;

  /**
   * Reads a canonical fragment, as {@link decodeSamples} takes it; that its series are in order is not checked again.
   *
   * @throws {StoreError} STORE_FRAGMENT_INVALID when `bytes` cannot be read; samples before the fault are visited
   */
  read(bytes: Uint8Array, visit: SampleVisitor): void {
    this.#bytes = bytes;
    this.#view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
    this.#position = 0;
    for (let ordinal = 0; this.#position < bytes.length; ordinal++) this.#readSample(ordinal, visit);
  }

  #readSample(ordinal: number, visit: SampleVisitor): void {
    const bytes = this.#bytes;
    const start = this.#position;
    this.#expect(bytes[this.#position++] === tag.samples);
    const size = this.#varint();
    const body = this.#position;
    const end = body + size;
    this.#expect(end <= bytes.length && bytes[this.#position++] === tag.name);
    this.#skipText();
    const nameEnd = this.#position;
    let high = 0;
    let low = 0;
    if (nameEnd < end && bytes[nameEnd] === tag.value) {
      this.#expect(nameEnd + 9 <= end);
      low = this.#view.getUint32(nameEnd + 1, true);
      high = this.#view.getUint32(nameEnd + 5, true);
      this.#position = nameEnd + 9;
    }
    const labelsStart = this.#position;
    while (this.#position < end && bytes[this.#position] === tag.labels) {
      this.#position++;
      this.#skipText();
    }
    const labelsEnd = this.#position;
    let kind = 0;
    if (this.#position < end && bytes[this.#position] === tag.kind) {
      this.#position++;
      kind = this.#varint();
    }
    let flags = 0;
    if (this.#position < end && bytes[this.#position] === tag.flags) {
      this.#position++;
      flags = this.#varint();
    }
    this.#expect(this.#position === end);

    let slot = this.#guesses[ordinal] ?? -1;
    if (
      slot < 0 ||
      !equalRun(this.#names[slot]!, bytes, body, nameEnd) ||
      !equalRun(this.#labels[slot]!, bytes, labelsStart, labelsEnd)
    ) {
      slot = this.#find(start, end, body, nameEnd, labelsStart, labelsEnd);
      this.#guesses[ordinal] = slot;
    }
    // Canonical bytes hold only kinds that intake has checked.
    if (kind < this.series[slot]!.kind) this.series[slot] = { ...this.series[slot]!, kind: kind as Kind };
    visit(slot, high, low, flags);
  }

  #find(
    start: number,
    end: number,
    body: number,
    nameEnd: number,
    labelsStart: number,
    labelsEnd: number,
  ): number {
    const name = this.#bytes.slice(body, nameEnd);
    const labels = this.#bytes.slice(labelsStart, labelsEnd);
    const identity = latin1(name) + latin1(labels);
    const known = this.#slots.get(identity);
    if (known !== undefined) return known;
    const slot = this.series.length;
    const sample = decodeSamples(this.#bytes.subarray(start, end))[0]!;
    this.series.push({ name: sample.name, labels: sample.labels, kind: sample.kind });
    this.#names.push(name);
    this.#labels.push(labels);
    this.#slots.set(identity, slot);
    return slot;
  }

  #skipText(): void {
    const size = this.#varint();
    this.#position += size;
  }

  #varint(): number {
    let value = 0;
    for (let shift = 0; shift < 35; shift += 7) {
      const byte = this.#bytes[this.#position++];
      this.#expect(byte !== undefined);
      value |= (byte & 0x7f) << shift;
      if (byte < 0x80) return value >>> 0;
    }
    this.#expect(false);
    return 0;
  }

  #expect(holds: boolean): asserts holds {
    if (holds) return;
    throw new StoreError(
      "STORE_FRAGMENT_INVALID",
      `expected a canonical fragment, got something else before byte ${this.#position}`,
    );
  }
}

function equalRun(run: Uint8Array, bytes: Uint8Array, start: number, end: number): boolean {
  if (run.length !== end - start) return false;
  for (let i = 0; i < run.length; i++) if (run[i] !== bytes[start + i]) return false;
  return true;
}

function latin1(bytes: Uint8Array): string {
  let text = "";
  for (const byte of bytes) text += String.fromCharCode(byte);
  return text;
}
