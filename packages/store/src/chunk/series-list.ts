import type { Kind, Label, Series } from "../sample.ts";
import { ByteReader, chunkInvalid } from "./byte-reader.ts";
import type { ByteWriter } from "./byte-writer.ts";
import { headerBytesMax } from "./format.ts";

/** Stands for kinds from 3 on, which follow: those of this version are smaller, a newer one's are kept. */
const otherKind = 3;

/** Which texts are likely to begin alike. */
const role = { name: 0, labelName: 1, labelValue: 2 } as const;
type Role = (typeof role)[keyof typeof role];

/** Texts being written: each once, as what differs from the new one of its role before; then named by its number. */
class TextWriter {
  readonly #out: ByteWriter;
  readonly #numbers = new Map<string, number>();
  readonly #last = ["", "", ""];
  #length = 0;

  constructor(out: ByteWriter) {
    this.#out = out;
  }

  write(text: string, as: Role): void {
    const out = this.#out;
    const number = this.#numbers.get(text);
    if (number !== undefined) {
      out.varint(number);
      return;
    }
    this.#numbers.set(text, this.#numbers.size + 1);
    this.#length += text.length;
    if (this.#length > headerBytesMax) {
      throw new RangeError(`expected names and labels of at most ${headerBytesMax} characters, got more`);
    }
    const shared = sharedPrefix(this.#last[as]!, text);
    this.#last[as] = text;
    out.byte(0);
    out.varint(shared);
    const rest = text.slice(shared);
    // One byte of length is enough but for long texts.
    const start = out.length;
    out.byte(0);
    const size = out.text(rest);
    if (size < 128) out.bytes[start] = size;
    else {
      out.length = start;
      out.varint(size);
      out.text(rest);
    }
  }
}

/** How many UTF-16 units two texts share, not parting a surrogate pair. */
function sharedPrefix(a: string, b: string): number {
  const length = Math.min(a.length, b.length);
  let i = 0;
  while (i < length && a.charCodeAt(i) === b.charCodeAt(i)) i++;
  return i > 0 && (b.charCodeAt(i - 1) & 0xfc00) === 0xd800 ? i - 1 : i;
}

/** Bytes of a list that are kept to be used again. */
const keptBytesMax = 64 * 1024;

/** The list written last, and how. */
let lastList: readonly Series[] = [];
let lastBytes: Uint8Array = new Uint8Array(0);

/**
 * Writes kinds, names and labels of series. Hosts that run the same program have the same series, so that the list
 * written last is likely to be the next one too.
 *
 * @throws {RangeError} when its texts are longer than a header may be
 */
export function writeSeriesList(out: ByteWriter, list: readonly Series[]): void {
  if (sameSeries(list, lastList)) {
    out.put(lastBytes);
    return;
  }
  const start = out.length;
  const texts = new TextWriter(out);
  for (const { name, labels, kind } of list) {
    out.varint(4 * labels.length + Math.min(kind, otherKind));
    if (kind >= otherKind) out.varint(kind);
    texts.write(name, role.name);
    for (const label of labels) {
      texts.write(label.name, role.labelName);
      texts.write(label.value, role.labelValue);
    }
  }
  if (out.length - start > keptBytesMax) return;
  lastList = list;
  lastBytes = out.slice(start);
}

function sameSeries(a: readonly Series[], b: readonly Series[]): boolean {
  if (a.length !== b.length) return false;
  for (let i = 0; i < a.length; i++) {
    const one = a[i]!;
    const other = b[i]!;
    if (one === other) continue;
    const { labels } = one;
    const { length } = labels;
    if (one.kind !== other.kind || length !== other.labels.length || one.name !== other.name) return false;
    for (let j = 0; j < length; j++) {
      if (labels[j]!.value !== other.labels[j]!.value || labels[j]!.name !== other.labels[j]!.name)
        return false;
    }
  }
  return true;
}

class TextReader {
  readonly #reader: ByteReader;
  readonly #texts: string[] = [];
  readonly #last = ["", "", ""];
  #length = 0;

  constructor(reader: ByteReader) {
    this.#reader = reader;
  }

  read(as: Role): string {
    const reader = this.#reader;
    const number = reader.varint();
    if (number > 0) {
      const known = this.#texts[number - 1];
      if (known === undefined) {
        throw chunkInvalid(`expected one of ${this.#texts.length} texts, got number ${number}`);
      }
      return known;
    }
    const last = this.#last[as]!;
    const shared = reader.varint();
    if (shared > last.length) {
      throw chunkInvalid(`expected at most ${last.length} characters shared, got ${shared}`);
    }
    const text = last.slice(0, shared) + reader.text(reader.varint());
    // What is shared takes no bytes, so that their number is no bound.
    this.#length += text.length;
    if (this.#length > headerBytesMax) {
      throw chunkInvalid(`expected texts of at most ${headerBytesMax} characters, got more`);
    }
    this.#texts.push(text);
    this.#last[as] = text;
    return text;
  }
}

/** The list read last, and what it was read from. */
let lastRead: { readonly bytes: Uint8Array; readonly list: readonly Series[] } = {
  bytes: new Uint8Array(0),
  list: [],
};

/**
 * Reads what {@link writeSeriesList} wrote, up to the end. Chunks of one host that are read one after the other are
 * likely to have the same list: they then share it.
 *
 * @throws {StoreError} STORE_CHUNK_INVALID
 */
export function readSeriesList(reader: ByteReader, count: number): readonly Series[] {
  const bytes = reader.take(reader.remaining);
  if (lastRead.list.length === count && Buffer.compare(bytes, lastRead.bytes) === 0) return lastRead.list;
  const list = readEach(new ByteReader(bytes), count);
  // Copied: whoever owns the bytes may use them for something else. (A Buffer's `slice` would not copy.)
  if (bytes.length <= keptBytesMax) lastRead = { bytes: new Uint8Array(bytes), list };
  return list;
}

function readEach(reader: ByteReader, count: number): Series[] {
  const texts = new TextReader(reader);
  const list: Series[] = [];
  for (let i = 0; i < count; i++) {
    const head = reader.varint();
    const labelCount = Math.floor(head / 4);
    const kind = head % 4 === otherKind ? reader.varint() : head % 4;
    if (kind > 0xffff_ffff || 2 * labelCount > reader.remaining) {
      throw chunkInvalid(`expected a kind and a number of labels, got ${kind} and ${labelCount}`);
    }
    const name = texts.read(role.name);
    const labels: Label[] = [];
    for (let j = 0; j < labelCount; j++) {
      labels.push({ name: texts.read(role.labelName), value: texts.read(role.labelValue) });
    }
    list.push({ name, labels, kind: kind as Kind });
  }
  reader.assertEnd();
  return list;
}
