import type { Fragment } from "../fragment.ts";
import { murmur3 } from "../murmur3.ts";
import type { Partition } from "../store.ts";
import { invalidAt } from "./backup-error.ts";
import { IdSum } from "./id-sum.ts";

/** How a partition ends: what all of its blocks together hold. */
export interface PartitionEnd {
  readonly fragments: number;
  /** Sum of the fragments' ids modulo 2⁶⁴, in two halves of 32 bits. */
  readonly idSumHigh: number;
  readonly idSumLow: number;
  /** What of the partition could not be read when the backup was made, for people; empty when nothing. */
  readonly damage: string;
}

/** Some fragments of one partition, in the order of the export. */
export interface FragmentBlock {
  readonly partition: Partition;
  readonly fragments: readonly Fragment[];
  /** Set in the partition's last block. */
  readonly end: PartitionEnd | undefined;
}

const textEncoder = new TextEncoder();
const textDecoder = new TextDecoder("utf-8", { fatal: true });

/** Damage told in a backup, in bytes. */
const damageBytesMax = 1_024;
/** What the fields of fixed size take, and the two texts of bounded size. */
const fixedBytes = 1 + 255 + 8 + 4 + 1 + 4 + 8 + 2 + damageBytesMax;
/** The most that a fragment takes besides its bytes: its offset in the block and its length. */
const fragmentHeadBytes = 10;

/** Gathers fragments of one partition and encodes them. */
export class BlockWriter {
  readonly #partition: Partition;
  readonly #ids = new IdSum();
  #body: Uint8Array = new Uint8Array(65_536);
  #size = 0;
  #fragments = 0;
  #fragmentsBefore = 0;

  constructor(partition: Partition) {
    this.#partition = partition;
  }

  /** Bytes gathered for the block at hand. */
  get bytes(): number {
    return this.#size;
  }

  /** Fragments of the partition so far, those of blocks before among them. */
  get fragments(): number {
    return this.#fragmentsBefore + this.#fragments;
  }

  /** Takes a fragment in; its bytes are copied. */
  add(fragment: Fragment): void {
    const { timestampMs, bytes } = fragment;
    this.#reserve(fragmentHeadBytes + bytes.length);
    this.#putVarint(timestampMs - this.#partition.blockStartMs);
    this.#putVarint(bytes.length);
    this.#body.set(bytes, this.#size);
    this.#size += bytes.length;
    this.#fragments++;
    this.#ids.add(fragment);
  }

  /** Encodes what was gathered, and begins the next block. */
  take(): Uint8Array {
    return this.#encode(undefined);
  }

  /** Encodes what was gathered as the last block of the partition. */
  end(damage: string): Uint8Array {
    return this.#encode(damage);
  }

  #encode(damage: string | undefined): Uint8Array {
    const block = new Uint8Array(fixedBytes + this.#size);
    const view = new DataView(block.buffer);
    const host = textEncoder.encodeInto(this.#partition.hostId, block.subarray(1, 256)).written;
    block[0] = host;
    let at = 1 + host;
    view.setBigInt64(at, BigInt(this.#partition.blockStartMs));
    view.setUint32(at + 8, this.#fragments);
    block[at + 12] = damage === undefined ? 0 : 1;
    at += 13;
    block.set(this.#body.subarray(0, this.#size), at);
    at += this.#size;
    if (damage !== undefined) {
      view.setUint32(at, this.fragments);
      view.setUint32(at + 4, this.#ids.high);
      view.setUint32(at + 8, this.#ids.low);
      const text = textEncoder.encodeInto(damage, block.subarray(at + 14, at + 14 + damageBytesMax)).written;
      view.setUint16(at + 12, text);
      at += 14 + text;
    }
    this.#fragmentsBefore += this.#fragments;
    this.#fragments = 0;
    this.#size = 0;
    return block.subarray(0, at);
  }

  #reserve(bytes: number): void {
    if (this.#size + bytes <= this.#body.length) return;
    const body = new Uint8Array(Math.max(this.#body.length * 2, this.#size + bytes));
    body.set(this.#body.subarray(0, this.#size));
    this.#body = body;
  }

  #putVarint(value: number): void {
    let rest = value;
    while (rest >= 0x80) {
      this.#body[this.#size++] = (rest & 0x7f) | 0x80;
      rest >>>= 7;
    }
    this.#body[this.#size++] = rest;
  }
}

/**
 * Decodes a block. Its fragments are views of `bytes`.
 *
 * @param offset - where the block's frame begins, for the error
 * @throws {BackupError}
 */
export function decodeFragmentBlock(bytes: Uint8Array, offset: number): FragmentBlock {
  try {
    return new BlockReader(bytes).read();
  } catch (cause) {
    // Reading past the end is a RangeError of the view, and the decoder's is a TypeError.
    throw invalidAt(offset, "fragments of a partition", "other bytes", cause);
  }
}

class BlockReader {
  readonly #bytes: Uint8Array;
  readonly #view: DataView;
  #at = 0;

  constructor(bytes: Uint8Array) {
    this.#bytes = bytes;
    this.#view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  }

  read(): FragmentBlock {
    const hostId = textDecoder.decode(this.#run(this.#view.getUint8(this.#at++)));
    const partition = { hostId, blockStartMs: Number(this.#view.getBigInt64(this.#at)) };
    const count = this.#view.getUint32(this.#at + 8);
    const isLast = this.#view.getUint8(this.#at + 12) === 1;
    this.#at += 13;
    const fragments: Fragment[] = [];
    while (fragments.length < count) fragments.push(this.#fragment(partition));
    const end = isLast ? this.#end() : undefined;
    if (this.#at !== this.#bytes.length) throw new RangeError("bytes after the end of a block");
    return { partition, fragments, end };
  }

  #fragment({ hostId, blockStartMs }: Partition): Fragment {
    const timestampMs = blockStartMs + this.#varint();
    const bytes = this.#run(this.#varint());
    const { high, low } = murmur3(bytes);
    return { hostId, timestampMs, idHigh: high, idLow: low, bytes };
  }

  #end(): PartitionEnd {
    const view = this.#view;
    const at = this.#at;
    this.#at += 14;
    const damage = textDecoder.decode(this.#run(view.getUint16(at + 12)));
    return {
      fragments: view.getUint32(at),
      idSumHigh: view.getUint32(at + 4),
      idSumLow: view.getUint32(at + 8),
      damage,
    };
  }

  #run(length: number): Uint8Array {
    const end = this.#at + length;
    if (end > this.#bytes.length) throw new RangeError("a run past the end of a block");
    const run = this.#bytes.subarray(this.#at, end);
    this.#at = end;
    return run;
  }

  #varint(): number {
    let value = 0;
    for (let shift = 0; shift < 35; shift += 7) {
      const byte = this.#view.getUint8(this.#at++);
      value |= (byte & 0x7f) << shift;
      if (byte < 0x80) return value >>> 0;
    }
    throw new RangeError("a number of more than 32 bits");
  }
}
