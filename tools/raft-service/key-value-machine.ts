import { crc32 } from "node:zlib";
import type { Entry, FSM, FsmSnapshot } from "@mon/raft";
import { FieldReader, FieldWriter } from "./protobuf.ts";
import { decodeCall, decodeRequests } from "./wire.ts";

/** What a write came to: its revision, and whether it wrote. */
export interface WriteOutcome {
  readonly revision: number;
  readonly refused: boolean;
}

const chunkBytes = 65_536;

/** A map of keys to values. An entry of the log is a message `Requests`, all of them writes. */
export class KeyValueMachine implements FSM<readonly WriteOutcome[]> {
  #values = new Map<string, Uint8Array>();
  #revision = 0;
  /** Of all entries ever applied, in their order. */
  #checksum = 0;

  /** The value of a key, by the key's bytes. */
  get(key: Uint8Array): Uint8Array | undefined {
    return this.#values.get(nameOf(key));
  }

  get size(): number {
    return this.#values.size;
  }

  /** How many writes there were. */
  get revision(): number {
    return this.#revision;
  }

  apply(entries: readonly Entry[]): (readonly WriteOutcome[])[] {
    return entries.map(({ data }) => {
      this.#checksum = crc32(data, this.#checksum);
      return decodeRequests(data).map(({ call, kind }) => {
        const { expected, key, value } = decodeCall(kind, call);
        const name = nameOf(key);
        if (kind === "compareAndSet" && !isSame(this.#values.get(name), expected)) {
          return { revision: ++this.#revision, refused: true };
        }
        // A copy: the entry's bytes are part of a larger buffer, which would stay in memory for as long as the value.
        this.#values.set(name, Buffer.from(value!));
        return { revision: ++this.#revision, refused: false };
      });
    });
  }

  snapshot(): FsmSnapshot {
    const head = new FieldWriter();
    head.integer(1, this.#revision);
    head.integer(2, this.#checksum);
    const values = [...this.#values];
    return { chunks: () => chunksOf(head.finish(), values) };
  }

  async restore(chunks: AsyncIterable<Uint8Array>): Promise<void> {
    const parts: Uint8Array[] = [];
    for await (const chunk of chunks) parts.push(chunk);
    let [revision, checksum] = [0, 0];
    const values = new Map<string, Uint8Array>();
    const bytes = Buffer.concat(parts);
    const reader = new FieldReader(bytes);
    while (reader.next()) {
      if (reader.field === 1) revision = reader.integer;
      else if (reader.field === 2) checksum = reader.integer;
      else {
        const pair = new FieldReader(bytes, reader.start, reader.end);
        pair.next();
        const name = nameOf(pair.content());
        pair.next();
        values.set(name, Buffer.from(pair.content()));
      }
    }
    this.#values = values;
    this.#revision = revision;
    this.#checksum = checksum;
  }

  hash(): string {
    return `${this.#revision} ${this.#values.size} ${this.#checksum}`;
  }
}

function* chunksOf(
  head: Uint8Array,
  values: readonly (readonly [string, Uint8Array])[],
): Iterable<Uint8Array> {
  yield head;
  let writer = new FieldWriter(chunkBytes);
  for (const [name, value] of values) {
    const pair = new FieldWriter(32 + name.length + value.length);
    pair.bytes(1, Buffer.from(name, "latin1"));
    pair.bytes(2, value);
    writer.bytes(3, pair.finish());
    if (writer.length >= chunkBytes) {
      yield writer.finish();
      writer = new FieldWriter(chunkBytes);
    }
  }
  if (writer.length > 0) yield writer.finish();
}

/** A string for a map: one character for each byte. */
function nameOf(key: Uint8Array): string {
  return Buffer.from(key.buffer, key.byteOffset, key.byteLength).toString("latin1");
}

function isSame(a: Uint8Array | undefined, b: Uint8Array | undefined): boolean {
  return a === undefined || b === undefined ? a === b : Buffer.compare(a, b) === 0;
}
