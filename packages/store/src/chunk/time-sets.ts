import { ByteWriter } from "./byte-writer.ts";
import { columnSamplesMax, type Effort } from "./column-format.ts";
import { writeColumn } from "./write-column.ts";

/** The instants of a column, rising. */
export type Instants = Float64Array;

/** Sets of one hash that are compared; further ones are kept again, which costs bytes and no time. */
const candidatesMax = 4;

/**
 * The distinct sets of instants of a chunk's columns. Series of one program are read at the same instants, so that
 * jitter is paid for once and not for each.
 */
export class TimeSets {
  /** By index. */
  readonly sets: Instants[] = [];
  startMs: number = Number.POSITIVE_INFINITY;
  endMs: number = Number.NEGATIVE_INFINITY;
  readonly #indices = new Map<number, number[]>();
  #last = 0;

  /**
   * The index of a set, which is kept, not copied.
   *
   * @throws {RangeError} when it is empty or too long, or not of whole milliseconds that rise
   */
  indexOf(timestampsMs: Instants): number {
    const last = this.sets[this.#last];
    if (last !== undefined && equals(last, timestampsMs)) return this.#last;
    const hash = hashOf(timestampsMs);
    const candidates = this.#indices.get(hash);
    const known = candidates?.find((index) => equals(this.sets[index]!, timestampsMs));
    if (known !== undefined) {
      this.#last = known;
      return known;
    }
    assertInstants(timestampsMs);
    this.#last = this.sets.push(timestampsMs) - 1;
    if (candidates === undefined) this.#indices.set(hash, [this.#last]);
    else if (candidates.length < candidatesMax) candidates.push(this.#last);
    this.startMs = Math.min(this.startMs, timestampsMs[0]!);
    this.endMs = Math.max(this.endMs, timestampsMs.at(-1)!);
    return this.#last;
  }
}

function equals(a: Instants, b: Instants): boolean {
  if (a === b) return true;
  const { length } = a;
  if (length !== b.length) return false;
  for (let i = 0; i < length; i++) if (a[i] !== b[i]) return false;
  return true;
}

function hashOf(timestampsMs: Instants): number {
  const first = timestampsMs[0] ?? 0;
  let hash = timestampsMs.length;
  for (let i = 0; i < timestampsMs.length; i++) {
    hash = Math.imul(hash ^ ((timestampsMs[i]! - first) | 0), 0x01000193);
  }
  return hash ^ first;
}

function assertInstants(timestampsMs: Instants): void {
  const { length } = timestampsMs;
  if (length === 0 || length > columnSamplesMax) {
    throw new RangeError(`expected 1 to ${columnSamplesMax} samples a column, got ${length}`);
  }
  let last = Number.NEGATIVE_INFINITY;
  for (let i = 0; i < length; i++) {
    const instant = timestampsMs[i]!;
    if (!(instant > last && Number.isSafeInteger(instant))) {
      throw new RangeError(`expected whole milliseconds that rise, got ${instant} after ${last}`);
    }
    last = instant;
  }
}

const scratch = new ByteWriter();

/**
 * Writes sets as offsets from `startMs`: each either a column like any other or, when all its instants are in the
 * longest set, runs of those that are and are not.
 */
export function writeTimeSets(
  out: ByteWriter,
  sets: readonly Instants[],
  startMs: number,
  effort: Effort,
): void {
  let longest = 0;
  for (let i = 1; i < sets.length; i++) if (sets[i]!.length > sets[longest]!.length) longest = i;
  out.varint(sets.length);
  out.varint(longest);
  for (let i = 0; i < sets.length; i++) {
    const set = sets[i]!;
    scratch.clear();
    const offsets = set.map((instant) => instant - startMs);
    writeColumn(scratch, offsets, undefined, effort);
    const whole = scratch.length;
    const isPart = i !== longest && writeRuns(scratch, sets[longest]!, set);
    const runs = scratch.length - whole;
    out.varint(set.length);
    if (isPart && runs < whole) {
      out.varint(2 * runs + 1);
      out.put(scratch.bytes.subarray(whole, scratch.length));
    } else {
      out.varint(2 * whole);
      out.put(scratch.bytes.subarray(0, whole));
    }
  }
}

/** Writes how many instants of `base` are left out, then taken, in turn. @returns whether `set` is part of `base` */
function writeRuns(out: ByteWriter, base: Instants, set: Instants): boolean {
  let i = 0;
  for (let j = 0; j < set.length; ) {
    const left = i;
    while (i < base.length && base[i]! < set[j]!) i++;
    const taken = i;
    while (j < set.length && base[i] === set[j]) {
      i++;
      j++;
    }
    if (i === taken) return false;
    out.varint(taken - left);
    out.varint(i - taken);
  }
  return true;
}
