import type { Member } from "./member.ts";
import type { Points } from "./points.ts";

/**
 * Walks the ring clockwise and picks distinct members, spread over zones.
 *
 * Problem: the first n distinct members clockwise may all stand in one rack. Skipping every member of a zone already
 * taken fails once n exceeds the number of zones. Idea: go in rounds. In round k a zone may hold at most k picks; a
 * round ends as soon as it has picked all that its limit allows. With enough zones the first round is the only one, with
 * fewer the picks are as even over them as their sizes permit, and without zones it is the plain walk.
 *
 * Keeps scratch arrays, so one instance serves one call at a time; the ring never calls back while it walks.
 */
export class PreferenceWalk {
  /** The picks of the last walk, in order; entries beyond the count it returned are stale. */
  readonly picked: Uint16Array;

  readonly #points: Points;
  readonly #zoneOf: Uint16Array;
  /** `#reachable[k]`: how many members can be picked while no zone may hold more than k. */
  readonly #reachable: number[];
  readonly #taken: Uint8Array;
  readonly #picksOfZone: Uint16Array;

  constructor(points: Points, members: readonly Member[]) {
    const { zoneOf, zoneSizes } = numberZones(members);
    this.#points = points;
    this.#zoneOf = zoneOf;
    this.#reachable = reachableByLimit(zoneSizes);
    this.#taken = new Uint8Array(members.length);
    this.#picksOfZone = new Uint16Array(zoneSizes.length);
    this.picked = new Uint16Array(members.length);
  }

  /**
   * Picks up to `n` members into {@link picked}, starting with point `start`.
   *
   * @returns how many: `n`, or all members if there are fewer
   */
  from(start: number, n: number): number {
    this.#taken.fill(0);
    this.#picksOfZone.fill(0);
    const goal = Math.min(n, this.picked.length);
    let count = 0;
    for (let limit = 1; count < goal; limit++) {
      count = this.#round(start, count, Math.min(goal, this.#reachable[limit]!), limit);
    }
    return count;
  }

  #round(start: number, count: number, goal: number, zoneLimit: number): number {
    const { owners, length } = this.#points;
    for (let i = start; count < goal; i = i + 1 === length ? 0 : i + 1) {
      const member = owners[i]!;
      if (this.#taken[member] === 1) continue;
      const zone = this.#zoneOf[member]!;
      if (this.#picksOfZone[zone]! >= zoneLimit) continue;
      this.#taken[member] = 1;
      this.#picksOfZone[zone]!++;
      this.picked[count++] = member;
    }
    return count;
  }
}

/** Numbers the zones and counts their members. A member without a zone gets one of its own. */
function numberZones(members: readonly Member[]): { zoneOf: Uint16Array; zoneSizes: number[] } {
  const numbers = new Map<string, number>();
  const zoneOf = new Uint16Array(members.length);
  const zoneSizes: number[] = [];
  for (const [index, { zone }] of members.entries()) {
    const known = zone === undefined ? undefined : numbers.get(zone);
    const number = known ?? zoneSizes.push(0) - 1;
    if (zone !== undefined) numbers.set(zone, number);
    zoneOf[index] = number;
    zoneSizes[number]!++;
  }
  return { zoneOf, zoneSizes };
}

/** See `#reachable`. O(members): a zone of size s lets one more in at each limit from 1 to s. */
function reachableByLimit(zoneSizes: readonly number[]): number[] {
  const reachable = [0];
  for (const size of zoneSizes) {
    for (let limit = 1; limit <= size; limit++) reachable[limit] = (reachable[limit] ?? 0) + 1;
  }
  for (let limit = 1; limit < reachable.length; limit++) reachable[limit]! += reachable[limit - 1]!;
  return reachable;
}
