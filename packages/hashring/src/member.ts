import { MAX_POINTS_PER_MEMBER } from "./parameters.ts";

/** A node that can own keys, as the caller names it. */
export interface MemberOptions {
  /**
   * Unique on the ring: well-formed text of 1 to 256 UTF-8 bytes. It alone decides where the member's points lie, so a
   * node that comes back under its old id gets its old keys back.
   */
  readonly id: string;

  /**
   * Share of the key space relative to the other members. Default 1; positive. It sets the number of points,
   * `round(vnodes × weight)` but at least one, so steps finer than 1 / vnodes have no effect.
   */
  readonly weight?: number;

  /**
   * What fails together: a rack, a data centre. Copies of a key are spread over zones. Left out, the member counts as a
   * zone of its own.
   */
  readonly zone?: string;
}

/** A node on the ring, with defaults filled in. Frozen. */
export interface Member {
  readonly id: string;
  readonly weight: number;
  readonly zone?: string;
}

const MAX_NAME_BYTES = 256;
const encoder = new TextEncoder();

/**
 * Checks a member and fills in its defaults.
 *
 * @throws {TypeError} when a field has the wrong type
 * @throws {RangeError} when a field has a value that no ring accepts
 */
export function resolveMember(member: MemberOptions): Member {
  if (typeof member !== "object" || member === null) {
    throw new TypeError(`expected a member { id, weight?, zone? }, got ${String(member)}`);
  }
  const { id, weight = 1, zone } = member;
  assertName("member id", id);
  if (typeof weight !== "number") {
    throw new TypeError(`expected weight of ${id} to be a number, got ${typeof weight}`);
  }
  if (!(weight > 0 && weight < Number.POSITIVE_INFINITY)) {
    throw new RangeError(`expected weight of ${id} to be positive and finite, got ${weight}`);
  }
  if (zone === undefined) return Object.freeze({ id, weight });
  assertName(`zone of ${id}`, zone);
  return Object.freeze({ id, weight, zone });
}

/**
 * How many points a member gets: `round(vnodes × weight)`, halves up, at least one.
 *
 * @throws {RangeError} above {@link MAX_POINTS_PER_MEMBER}
 */
export function pointCount(member: Member, vnodes: number): number {
  const count = Math.max(1, Math.round(vnodes * member.weight));
  if (count <= MAX_POINTS_PER_MEMBER) return count;
  throw new RangeError(
    `expected vnodes × weight of ${member.id} to be at most ${MAX_POINTS_PER_MEMBER}, got ${vnodes} × ${member.weight}`,
  );
}

/**
 * Orders texts by their UTF-8 bytes, for use with `sort`. JavaScript's own `<` compares UTF-16 code units and puts
 * U+10000 and above before U+E000 to U+FFFF, where other languages would not.
 */
export function compareUtf8(a: string, b: string): number {
  const length = Math.min(a.length, b.length);
  for (let i = 0; i < length; i++) {
    const left = a.charCodeAt(i);
    const right = b.charCodeAt(i);
    if (left !== right) return byteOrderRank(left) - byteOrderRank(right);
  }
  return a.length - b.length;
}

/** Moves the surrogates, which stand for the highest code points, above all other code units. */
function byteOrderRank(unit: number): number {
  if (unit < 0xd800) return unit;
  return unit < 0xe000 ? unit + 0x2000 : unit - 0x800;
}

function assertName(what: string, name: unknown): asserts name is string {
  if (typeof name !== "string") throw new TypeError(`expected ${what} to be a string, got ${typeof name}`);
  if (!name.isWellFormed())
    throw new RangeError(`expected ${what} to be well-formed Unicode, got a lone surrogate`);
  const { length } = encoder.encode(name);
  if (length < 1 || length > MAX_NAME_BYTES) {
    throw new RangeError(`expected ${what} to have 1 to ${MAX_NAME_BYTES} bytes, got ${length}`);
  }
}
