import { MAX_POINTS } from "./parameters.ts";

/**
 * The points of a ring, sorted by (position, member). Immutable: adding and removing a member makes a new instance by one
 * merge.
 *
 * Problem: a binary search mispredicts about every second of its steps, and over thousands of points takes longer than
 * hashing the key. Idea: cut the key space into slices so narrow that most hold no point, and note for each slice who
 * owns it. A slice is looked into when first asked for, so that a change of the ring costs a merge and nothing more.
 *
 * Members are indexes into the ring's list of members, which is in bytewise order of their ids. Of several points at one
 * position the first therefore belongs to the bytewise smallest id. The others own no key, but a walk meets them next.
 */
export class Points {
  /** Ascending; equal neighbours are collisions. */
  readonly positions: Uint32Array;

  /** `owners[i]` is the member that the point at `positions[i]` belongs to. */
  readonly owners: Uint16Array;

  /**
   * What is known of each slice: 0, nothing yet; m + 1, it holds no point and member m owns all of it; ~i, the first
   * point in it is i. A memo: no answer depends on what is in it. As narrow as it can be, because at random places it is
   * read from the processor's caches.
   */
  readonly #slices: Int16Array | Int32Array;

  /** Turns a position into its slice: the key space is cut into 2^(32 − #sliceShift) equal ones. */
  readonly #sliceShift: number;

  private constructor(positions: Uint32Array, owners: Uint16Array) {
    this.positions = positions;
    this.owners = owners;
    this.#sliceShift = 32 - sliceBits(positions.length);
    const slices = 2 ** (32 - this.#sliceShift);
    this.#slices = positions.length < 32_768 ? new Int16Array(slices) : new Int32Array(slices);
  }

  /**
   * O(points × log points).
   *
   * @param positionsOf - the positions of each member, by index, in any order; at most {@link MAX_POINTS} in all
   */
  static of(positionsOf: readonly Uint32Array[]): Points {
    const length = positionsOf.reduce((sum, positions) => sum + positions.length, 0);
    // One double holds position and member exactly (48 bits), and a Float64Array sorts without calling back.
    const sorted = new Float64Array(length);
    let next = 0;
    for (const [member, positions] of positionsOf.entries()) {
      for (const position of positions) sorted[next++] = position * 65_536 + member;
    }
    sorted.sort();
    const positions = new Uint32Array(length);
    const owners = new Uint16Array(length);
    for (let i = 0; i < length; i++) {
      const key = sorted[i]!;
      positions[i] = Math.floor(key / 65_536);
      owners[i] = key % 65_536;
    }
    return new Points(positions, owners);
  }

  get length(): number {
    return this.positions.length;
  }

  /**
   * The first point at or after `position`, clockwise: 0 when there is none before the end of the key space. Of points
   * that collide, the first. The ring must not be empty. O(log points).
   */
  at(position: number): number {
    const point = this.#search(position, 0, this.length);
    return point === this.length ? 0 : point;
  }

  /**
   * The member that the point {@link at} `position` belongs to. O(1) expected while points are not many more than slices;
   * O(log points) for a slice that is asked for the first time.
   *
   * @param position - unsigned, or the same 32 bits signed
   */
  memberAt(position: number): number {
    const slice = position >>> this.#sliceShift;
    let known = this.#slices[slice]!;
    if (known === 0) known = this.#lookInto(slice);
    if (known > 0) return known - 1;
    const { positions, owners, length } = this;
    const unsigned = position >>> 0;
    // Whether the position lies behind the first point of its slice is a toss-up, so that is added and not branched on.
    // Few slices hold a second one.
    let point = ~known;
    point += +(positions[point]! < unsigned);
    if (point < length && positions[point]! < unsigned) point = this.#searchNear(position, point + 1);
    return owners[point === length ? 0 : point]!;
  }

  /**
   * A copy with one more member. O(points).
   *
   * @param member - the newcomer's index; members from there on move up by one
   * @param newPositions - in ascending order
   * @throws {RangeError} beyond {@link MAX_POINTS}
   */
  withMember(member: number, newPositions: Uint32Array): Points {
    const length = this.length + newPositions.length;
    assertPointsFit(length);
    const positions = new Uint32Array(length);
    const owners = new Uint16Array(length);
    let copied = 0;
    for (let added = 0; added < newPositions.length; added++) {
      const position = newPositions[added]!;
      const end = this.#insertionPoint(position, member);
      positions.set(this.positions.subarray(copied, end), copied + added);
      copyOwnersUp(this.owners, owners, copied, end, added, member);
      positions[end + added] = position;
      owners[end + added] = member;
      copied = end;
    }
    positions.set(this.positions.subarray(copied), copied + newPositions.length);
    copyOwnersUp(this.owners, owners, copied, this.length, newPositions.length, member);
    return new Points(positions, owners);
  }

  /**
   * A copy without one member; members after it move down by one. O(points).
   *
   * @param count - how many points the member has
   */
  withoutMember(member: number, count: number): Points {
    const { positions, owners } = this;
    const keptLength = this.length - count;
    const keptPositions = new Uint32Array(keptLength);
    const keptOwners = new Uint16Array(keptLength);
    // Owners come in random order, and a mispredicted branch costs more than all else here. So each point is copied, and
    // the next one is put on top of it if it should not have been.
    for (let i = 0, kept = 0; kept < keptLength; i++) {
      const owner = owners[i]!;
      keptPositions[kept] = positions[i]!;
      // One less if owner > member.
      keptOwners[kept] = owner - ((member - owner) >>> 31);
      kept += +(owner !== member);
    }
    return new Points(keptPositions, keptOwners);
  }

  /** Fills in what {@link memberAt} has to know of a slice. @returns the entry */
  #lookInto(slice: number): number {
    const first = this.at(slice << this.#sliceShift);
    const isInside = this.positions[first]! >>> this.#sliceShift === slice;
    const entry = isInside ? ~first : this.owners[first]! + 1;
    this.#slices[slice] = entry;
    return entry;
  }

  /** {@link #search} from the point `low` on, in steps by the logarithm of how far the result lies. */
  #searchNear(position: number, low: number): number {
    const { positions, length } = this;
    const unsigned = position >>> 0;
    let distance = 1;
    while (low + distance < length && positions[low + distance]! < unsigned) distance *= 2;
    return this.#search(position, low + (distance >>> 1), Math.min(low + distance, length));
  }

  /** The first point at or after `position` of those from `low` to `high` − 1; `high` when there is none. */
  #search(position: number, low: number, high: number): number {
    const positions = this.positions;
    const unsigned = position >>> 0;
    while (low < high) {
      const middle = (low + high) >>> 1;
      if (positions[middle]! < unsigned) low = middle + 1;
      else high = middle;
    }
    return low;
  }

  /** The first old point that belongs behind a new one at `position`, whose member takes the index `member`. */
  #insertionPoint(position: number, member: number): number {
    const { positions, owners, length } = this;
    let i = this.#search(position, 0, length);
    while (i < length && positions[i] === position && owners[i]! < member) i++;
    return i;
  }
}

/** Copies `from[start]` to `from[end - 1]` by `shift` places, counting members from `member` on up by one. */
function copyOwnersUp(
  from: Uint16Array,
  to: Uint16Array,
  start: number,
  end: number,
  shift: number,
  member: number,
): void {
  for (let i = start; i < end; i++) {
    const owner = from[i]!;
    // One more if owner ≥ member, without a branch.
    to[i + shift] = owner + ((member - 1 - owner) >>> 31);
  }
}

/** @throws {RangeError} beyond {@link MAX_POINTS} */
export function assertPointsFit(count: number): void {
  if (count > MAX_POINTS)
    throw new RangeError(`expected at most ${MAX_POINTS} points on a ring, got ${count}`);
}

/** Eight to sixteen slices for each point, from 2^8 to 2^16 in all. */
function sliceBits(length: number): number {
  return Math.min(16, Math.max(8, 35 - Math.clz32(length)));
}
