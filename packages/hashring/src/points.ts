import { MAX_POINTS } from "./parameters.ts";

/**
 * The points of a ring, sorted by (position, member), with an index that finds the first point at or after a position in
 * constant expected time. Immutable: adding and removing a member makes a new instance by one merge.
 *
 * Members are indexes into the ring's list of members, which is in bytewise order of their ids. Of several points at one
 * position the first therefore belongs to the bytewise smallest id. The others own no key, but a walk meets them next.
 */
export class Points {
  /** Ascending; equal neighbours are collisions. */
  readonly positions: Uint32Array;

  /** `owners[i]` is the member that the point at `positions[i]` belongs to. */
  readonly owners: Uint16Array;

  /** `#firstOf[s]` is the first point at or after the start of slice s of the key space; one more entry ends the last. */
  readonly #firstOf: Uint32Array;

  /** Turns a position into its slice: the key space is cut into 2^(32 − #sliceShift) equal ones. */
  readonly #sliceShift: number;

  private constructor(positions: Uint32Array, owners: Uint16Array) {
    this.positions = positions;
    this.owners = owners;
    this.#sliceShift = 32 - sliceBits(positions.length);
    this.#firstOf = indexSlices(positions, this.#sliceShift);
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
   * that collide, the first. The ring must not be empty.
   */
  at(position: number): number {
    const positions = this.positions;
    const slice = position >>> this.#sliceShift;
    let low = this.#firstOf[slice]!;
    let high = this.#firstOf[slice + 1]!;
    // A slice holds about one point. Only a hash that crowds its positions ever gets to halve.
    while (high - low > 8) {
      const middle = (low + high) >>> 1;
      if (positions[middle]! < position) low = middle + 1;
      else high = middle;
    }
    while (low < high && positions[low]! < position) low++;
    return low === positions.length ? 0 : low;
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
    const { positions, owners, length } = this;
    const keptPositions = new Uint32Array(length - count);
    const keptOwners = new Uint16Array(length - count);
    let kept = 0;
    for (let i = 0; i < length; i++) {
      const owner = owners[i]!;
      if (owner === member) continue;
      keptPositions[kept] = positions[i]!;
      // One less if owner > member. Owners come in random order, and a mispredicted branch costs more than all else here.
      keptOwners[kept] = owner - ((member - owner) >>> 31);
      kept++;
    }
    return new Points(keptPositions, keptOwners);
  }

  /** The first old point that belongs behind a new one at `position`, whose member takes the index `member`. */
  #insertionPoint(position: number, member: number): number {
    const { positions, owners, length } = this;
    let i = length > 0 && position <= positions[length - 1]! ? this.at(position) : length;
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

/** One slice for each point, rounded up to a power of two, from 2^8 to 2^16. */
function sliceBits(length: number): number {
  return Math.min(16, Math.max(8, 32 - Math.clz32(length)));
}

function indexSlices(positions: Uint32Array, sliceShift: number): Uint32Array {
  const slices = 2 ** (32 - sliceShift);
  const firstOf = new Uint32Array(slices + 1);
  let next = 0;
  for (let i = 0; i < positions.length; i++) {
    const slice = positions[i]! >>> sliceShift;
    while (next <= slice) firstOf[next++] = i;
  }
  return firstOf.fill(positions.length, next);
}
