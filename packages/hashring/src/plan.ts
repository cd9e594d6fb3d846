import { RingError } from "./errors.ts";
import { compareUtf8 } from "./member.ts";
import type { Arc, HashRing } from "./ring.ts";

/** A stretch of the key space that changes hands. */
export interface Movement {
  /** First position. */
  readonly start: number;

  /** Last position, inclusive. */
  readonly end: number;

  /** Who holds the keys before, in bytewise order; empty when nobody does. */
  readonly from: readonly string[];

  /** Who holds them after, in bytewise order. */
  readonly to: readonly string[];

  /** Of `to`, those that are not in `from`: they have to be given the keys. */
  readonly gained: readonly string[];

  /** Of `from`, those that are not in `to`: they may let go of the keys, afterwards. */
  readonly lost: readonly string[];
}

/** What a stretch of the key space can share with others: everything but its bounds. */
type Change = Omit<Movement, "start" | "end">;

/**
 * What changes hands between two rings: a list of ranges, ascending, disjoint, and as few as possible. A position is in
 * one of them exactly when the set of its holders differs; a mere change in their order moves nothing and is left out.
 * No range wraps around: a change across 0 makes two.
 *
 * O(points of both × replicas).
 *
 * @param replicas - holders of each key in both rings; by default each ring's own `replicationFactor`
 * @throws {RingError} RING_INCOMPARABLE when hash, seed or `shardBucketMs` differ: a key then lies elsewhere in each ring
 * @throws {RangeError} when `replicas` is no integer from 1 to 65,536
 */
export function plan(before: HashRing, after: HashRing, replicas?: number): Movement[] {
  for (const name of ["hash", "seed", "shardBucketMs"] as const) {
    const [left, right] = [before.parameters[name], after.parameters[name]];
    if (left === right) continue;
    throw new RingError("RING_INCOMPARABLE", `expected rings of equal ${name}, got ${left} and ${right}`);
  }
  const movements: (Change & { start: number; end: number })[] = [];
  const changes = new ChangeTable();
  let lastChange: Change | undefined;
  for (const { start, end, from, to } of overlay(before.arcs(replicas), after.arcs(replicas))) {
    const change = changes.of(from, to);
    const last = movements.at(-1);
    if (change && last && change === lastChange) last.end = end;
    else if (change) movements.push({ start, end, ...change });
    lastChange = change;
  }
  return movements;
}

/**
 * The movement that a position belongs to, or undefined when it stays. O(log movements).
 *
 * @param movements - as {@link plan} returned them
 * @param position - from `ring.position(key)` or `ring.positionOfBucket(hostId, bucketStart)`
 */
export function movementAt(movements: readonly Movement[], position: number): Movement | undefined {
  let low = 0;
  let high = movements.length;
  while (low < high) {
    const middle = (low + high) >>> 1;
    if (movements[middle]!.end < position) low = middle + 1;
    else high = middle;
  }
  const found = movements[low];
  return found !== undefined && found.start <= position ? found : undefined;
}

/** Cuts the key space at the bounds of both lists, each of which covers it whole. */
function* overlay(
  before: readonly Arc[],
  after: readonly Arc[],
): Generator<{ start: number; end: number; from: readonly string[]; to: readonly string[] }> {
  let i = 0;
  let j = 0;
  let start = 0;
  while (i < before.length && j < after.length) {
    const [left, right] = [before[i]!, after[j]!];
    const end = Math.min(left.end, right.end);
    yield { start, end, from: left.owners, to: right.owners };
    if (left.end === end) i++;
    if (right.end === end) j++;
    start = end + 1;
  }
}

/** Makes one {@link Change} for each pair of holder sets, so that equal ones are one object. */
class ChangeTable {
  readonly #byLists = new Map<readonly string[], Map<readonly string[], Change | undefined>>();
  readonly #bySets = new Map<string, Change>();

  /** The change from one preference list to another; undefined when both have the same members. */
  of(from: readonly string[], to: readonly string[]): Change | undefined {
    // Arcs share their lists, so most pairs are found by identity.
    const row = this.#byLists.get(from) ?? new Map<readonly string[], Change | undefined>();
    this.#byLists.set(from, row);
    if (row.has(to)) return row.get(to);
    const change = this.#create(from, to);
    row.set(to, change);
    return change;
  }

  #create(from: readonly string[], to: readonly string[]): Change | undefined {
    const change: Change = {
      from: from.toSorted(compareUtf8),
      to: to.toSorted(compareUtf8),
      gained: to.filter((id) => !from.includes(id)).sort(compareUtf8),
      lost: from.filter((id) => !to.includes(id)).sort(compareUtf8),
    };
    if (change.gained.length === 0 && change.lost.length === 0) return undefined;
    const name = JSON.stringify([change.from, change.to]);
    const known = this.#bySets.get(name);
    if (known) return known;
    this.#bySets.set(name, change);
    return change;
  }
}
