import { assertBucketStart, bucketStartOfHash } from "./bucket.ts";
import { signedCrc32, signedCrc32OfBucket } from "./crc32.ts";
import { RingError } from "./errors.ts";
import { fingerprintOf } from "./fingerprint.ts";
import { compareUtf8, type Member, type MemberOptions, pointCount, resolveMember } from "./member.ts";
import { assertInteger, MAX_MEMBERS, type RingParameters, resolveParameters } from "./parameters.ts";
import { assertPointsFit, Points } from "./points.ts";
import { PreferenceWalk } from "./preference.ts";
import { type RingHash, ringHashByName } from "./ring-hash.ts";
import { encodeRing, type RingRecord } from "./serialized-ring.ts";

/** What {@link createRing} takes. */
export interface RingOptions {
  /** In any order: the ring does not depend on it. Default none. */
  readonly members?: Iterable<MemberOptions>;

  /** Each one left out has its default. */
  readonly parameters?: Partial<RingParameters>;

  /** Hashes that `parameters.hash` may name besides the built-in ones. */
  readonly hashes?: readonly RingHash[];
}

/** A stretch of the key space whose keys all have the same owners. */
export interface Arc {
  /** First position. */
  readonly start: number;

  /** Last position, inclusive. */
  readonly end: number;

  /** Member ids in order of preference. Arcs with equal owners share one frozen array. */
  readonly owners: readonly string[];
}

/** Positions are the integers from 0 to one less than this. */
const KEY_SPACE = 2 ** 32;

/**
 * A snapshot of a consistent-hash ring: a pure function of members and parameters, equal on every machine.
 *
 * A key's owner is the member of the first point at or clockwise after the key's position. Instances never change;
 * {@link add} and {@link remove} return new ones, so whoever holds a ring sees it whole. Made by {@link createRing}.
 *
 * @see Karger et al., "Consistent Hashing and Random Trees", 1997. We differ in weights, in zones, and in a stated
 * order where points collide.
 */
export class HashRing {
  /** In bytewise order of their ids. Frozen. */
  readonly members: readonly Member[];

  /** Frozen. */
  readonly parameters: RingParameters;

  readonly #hash: RingHash;
  /** As hashes take it: signed, so that passing it on never allocates. */
  readonly #seed: number;
  readonly #points: Points;
  /** Of {@link members}, in their order. */
  readonly #ids: readonly string[];
  #walk: PreferenceWalk | undefined;
  #fingerprint: string | undefined;

  private constructor(
    members: readonly Member[],
    parameters: RingParameters,
    hash: RingHash,
    points: Points,
  ) {
    this.members = Object.freeze(members);
    this.parameters = parameters;
    this.#hash = hash;
    this.#seed = parameters.seed | 0;
    this.#points = points;
    this.#ids = members.map(({ id }) => id);
  }

  /** See {@link createRing}. */
  static create({ members = [], parameters, hashes }: RingOptions = {}): HashRing {
    const resolved = resolveParameters(parameters);
    const hash = ringHashByName(resolved.hash, hashes);
    const sorted = Array.from(members, resolveMember).sort((a, b) => compareUtf8(a.id, b.id));
    for (let i = 1; i < sorted.length; i++) {
      if (sorted[i]!.id === sorted[i - 1]!.id) throw duplicate(sorted[i]!.id);
    }
    assertMemberCount(sorted.length);
    assertPointsFit(sorted.reduce((sum, member) => sum + pointCount(member, resolved.vnodes), 0));
    const points = Points.of(sorted.map((member) => positionsOf(member, resolved, hash)));
    return new HashRing(sorted, resolved, hash, points);
  }

  /** Number of members. */
  get size(): number {
    return this.members.length;
  }

  /**
   * 16 hexadecimal digits that are equal for equal rings (parameters, members, points) and, but for a collision of 64
   * bits, for no others. Brokers compare it to learn whether they speak of the same ring. The README states its bytes.
   * Computed once, in O(points).
   */
  get fingerprint(): string {
    this.#fingerprint ??= fingerprintOf(this.#record(), this.#points);
    return this.#fingerprint;
  }

  /** O(log members). */
  has(id: string): boolean {
    const index = this.#indexOf(id);
    return this.members[index]?.id === id;
  }

  /**
   * A ring with one more member. Of the keys, only those that the newcomer owns change owner. O(points), without sorting
   * what is already there.
   *
   * @throws {RingError} RING_DUPLICATE_MEMBER when the id is taken; to change a weight or a zone, remove and add
   * @throws {TypeError | RangeError} when a field of the member is not valid
   */
  add(member: MemberOptions): HashRing {
    const resolved = resolveMember(member);
    const index = this.#indexOf(resolved.id);
    if (this.members[index]?.id === resolved.id) throw duplicate(resolved.id);
    assertMemberCount(this.size + 1);
    const positions = positionsOf(resolved, this.parameters, this.#hash).sort();
    const points = this.#points.withMember(index, positions);
    return new HashRing(this.members.toSpliced(index, 0, resolved), this.parameters, this.#hash, points);
  }

  /**
   * A ring with one member less. Of the keys, only those that it owned change owner. O(points).
   *
   * @throws {RingError} RING_UNKNOWN_MEMBER when no member has this id
   */
  remove(id: string): HashRing {
    const index = this.#indexOf(id);
    const member = this.members[index];
    if (member?.id !== id) {
      throw new RingError("RING_UNKNOWN_MEMBER", `expected the id of a member, got ${JSON.stringify(id)}`);
    }
    const points = this.#points.withoutMember(index, pointCount(member, this.parameters.vnodes));
    return new HashRing(this.members.toSpliced(index, 1), this.parameters, this.#hash, points);
  }

  /**
   * Where a key lies, from 0 to 2³² − 1.
   *
   * @param key - text counts as its UTF-8 bytes
   */
  position(key: string | Uint8Array): number {
    return this.#hash.position(key, this.#seed) >>> 0;
  }

  /** Where the key `${hostId}:${bucketStart}` lies; with a built-in hash the string is never built. */
  positionOfBucket(hostId: string, bucketStart: number): number {
    return this.#positionOfBucket(hostId, bucketStart) >>> 0;
  }

  /**
   * The member that owns a key, or undefined when the ring is empty. O(1) expected besides hashing the key; no
   * allocation.
   *
   * @param key - text counts as its UTF-8 bytes
   * @example
   * createRing({ members: [{ id: "a" }, { id: "b" }] }).owner("session:42");
   */
  owner(key: string | Uint8Array): string | undefined {
    return this.#ownerAt(this.#hash.position(key, this.#seed));
  }

  /**
   * The member that owns a host's report of a given time: `owner(shardKey(hostId, bucketStart(…)))`, without building
   * the string. No allocation with a built-in hash.
   *
   * @param timestampMs - integer milliseconds since the epoch
   * @throws {RangeError} when `timestampMs` is no integer that a `Date` can hold
   */
  ownerOf(hostId: string, timestampMs: number): string | undefined {
    return this.#ownerAt(this.#positionOf(hostId, timestampMs));
  }

  /**
   * The member that owns a bucket whose start is known: `owner(shardKey(hostId, bucketStart))`, without building the
   * string. No allocation with a built-in hash.
   *
   * @param bucketStart - a safe integer, as `bucketStart` gives it; used as it is
   * @throws {RangeError} when it is none
   */
  ownerOfBucket(hostId: string, bucketStart: number): string | undefined {
    return this.#ownerAt(this.#positionOfBucket(hostId, bucketStart));
  }

  /**
   * The `n` members that hold a key, the owner first: the preference list. Distinct; in distinct zones where there are
   * `n` of them, otherwise as even over the zones as their sizes permit. Shorter than `n` when the ring has
   * fewer members. The array is the caller's.
   *
   * @param n - from 1 to 65,536; default is the ring's `replicationFactor`
   * @throws {RangeError} for another `n`
   */
  owners(key: string | Uint8Array, n: number = this.parameters.replicationFactor): string[] {
    return this.#ownersAt(this.#hash.position(key, this.#seed), n);
  }

  /** {@link owners} for a host's report of a given time; errors as {@link ownerOf}. */
  ownersOf(hostId: string, timestampMs: number, n: number = this.parameters.replicationFactor): string[] {
    return this.#ownersAt(this.#positionOf(hostId, timestampMs), n);
  }

  /** {@link owners} for a bucket whose start is known; errors as {@link ownerOfBucket}. */
  ownersOfBucket(
    hostId: string,
    bucketStart: number,
    n: number = this.parameters.replicationFactor,
  ): string[] {
    return this.#ownersAt(this.#positionOfBucket(hostId, bucketStart), n);
  }

  /**
   * The exact share of the key space that each member owns, from 0 to 1; they sum to 1. In the order of
   * {@link members}. O(points).
   */
  shares(): Map<string, number> {
    const { positions, owners, length } = this.#points;
    const widths = new Float64Array(this.size);
    if (length > 0) {
      let previous = positions[length - 1]! - KEY_SPACE;
      for (let i = 0; i < length; i++) {
        widths[owners[i]!]! += positions[i]! - previous;
        previous = positions[i]!;
      }
    }
    return new Map(this.members.map(({ id }, index) => [id, widths[index]! / KEY_SPACE]));
  }

  /**
   * The whole key space as a list of arcs, ascending and without gaps, with the `n` owners of each. Neighbours differ
   * in their owners. O(points × n) and more where zones are few; for planning, not for the path of a request.
   *
   * @param n - from 1 to 65,536; default is the ring's `replicationFactor`
   */
  arcs(n: number = this.parameters.replicationFactor): Arc[] {
    assertCopies(n);
    const { positions, length } = this.#points;
    const arcs: { start: number; end: number; owners: readonly string[] }[] = [];
    const shared = new Map<string, readonly string[]>();
    const walk = this.#preferenceWalk();
    const append = (end: number, point: number): void => {
      const last = arcs.at(-1);
      const start = last === undefined ? 0 : last.end + 1;
      if (end < start) return;
      const picked = walk.picked.subarray(0, length === 0 ? 0 : walk.from(point, n));
      const name = picked.join();
      const owners = shared.get(name) ?? Object.freeze(Array.from(picked, (index) => this.#ids[index]!));
      shared.set(name, owners);
      if (last?.owners === owners) last.end = end;
      else arcs.push({ start, end, owners });
    };
    for (let i = 0; i < length; i++) append(positions[i]!, i);
    append(KEY_SPACE - 1, 0);
    return arcs;
  }

  /**
   * Members and parameters as canonical JSON with a format version and the fingerprint; `deserializeRing` reads it.
   * Equal rings give equal text.
   */
  serialize(): string {
    return encodeRing(this.#record(), this.fingerprint);
  }

  #record(): RingRecord {
    return { parameters: this.parameters, members: this.members };
  }

  /** Where `id` stands in {@link members}, or would. */
  #indexOf(id: string): number {
    let low = 0;
    let high = this.members.length;
    while (low < high) {
      const middle = (low + high) >>> 1;
      if (compareUtf8(this.members[middle]!.id, id) < 0) low = middle + 1;
      else high = middle;
    }
    return low;
  }

  // Between these, times travel as two small integers: see signedCrc32OfBucket.

  #positionOf(hostId: string, timestampMs: number): number {
    const hostCrc32 = signedCrc32(hostId);
    const bucketStart = bucketStartOfHash(hostCrc32, timestampMs, this.parameters.shardBucketMs);
    const high = Math.trunc(bucketStart / 1e8) | 0;
    return this.#positionOfParts(hostId, hostCrc32, high, (bucketStart - high * 1e8) | 0);
  }

  #positionOfBucket(hostId: string, bucketStart: number): number {
    assertBucketStart(bucketStart);
    const high = Math.trunc(bucketStart / 1e8) | 0;
    return this.#positionOfParts(hostId, signedCrc32(hostId), high, (bucketStart - high * 1e8) | 0);
  }

  #positionOfParts(hostId: string, hostCrc32: number, high: number, low: number): number {
    return this.#hash.positionOfCrc32 === undefined
      ? this.#hash.position(`${hostId}:${high * 1e8 + low}`, this.#seed)
      : this.#hash.positionOfCrc32(signedCrc32OfBucket(hostCrc32, high, low), this.#seed);
  }

  #ownerAt(position: number): string | undefined {
    if (this.#points.length === 0) return undefined;
    return this.#ids[this.#points.memberAt(position)];
  }

  #ownersAt(position: number, n: number): string[] {
    assertCopies(n);
    if (this.#points.length === 0) return [];
    const walk = this.#preferenceWalk();
    const count = walk.from(this.#points.at(position), n);
    const owners: string[] = [];
    for (let i = 0; i < count; i++) owners.push(this.#ids[walk.picked[i]!]!);
    return owners;
  }

  #preferenceWalk(): PreferenceWalk {
    this.#walk ??= new PreferenceWalk(this.#points, this.members);
    return this.#walk;
  }
}

/**
 * Builds a ring. O(points × log points); later changes are cheaper by {@link HashRing.add} and {@link HashRing.remove},
 * and give the same ring.
 *
 * @throws {RingError} RING_DUPLICATE_MEMBER, RING_UNKNOWN_HASH
 * @throws {TypeError} when a field has the wrong type
 * @throws {RangeError} when a value is out of its range, or the ring beyond 65,536 members or 4,194,304 points
 */
export function createRing(options?: RingOptions): HashRing {
  return HashRing.create(options);
}

/** Unsorted. Labels are the same for every hash, so a change of hash moves points and renames nothing. */
function positionsOf(member: Member, { vnodes, seed }: RingParameters, hash: RingHash): Uint32Array {
  const positions = new Uint32Array(pointCount(member, vnodes));
  for (let i = 0; i < positions.length; i++) positions[i] = hash.position(`${member.id}#${i}`, seed | 0);
  return positions;
}

function duplicate(id: string): RingError {
  return new RingError("RING_DUPLICATE_MEMBER", `expected each member once, got ${JSON.stringify(id)} again`);
}

function assertMemberCount(count: number): void {
  if (count > MAX_MEMBERS) throw new RangeError(`expected at most ${MAX_MEMBERS} members, got ${count}`);
}

function assertCopies(n: number): void {
  assertInteger("n", n, 1, MAX_MEMBERS);
}
