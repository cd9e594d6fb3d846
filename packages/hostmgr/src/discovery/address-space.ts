import { formatAddress, type IpAddress } from "./ip-address.ts";
import { type IpRange, isInRange, parseRange, refusalOf } from "./ip-range.ts";
import { createPermutation } from "./permutation.ts";

/** What to look through. */
export interface AddressSpaceOptions {
  /** Ranges such as `10.0.0.0/24`, or lone addresses. */
  readonly ranges: readonly string[];
  /** What to leave out of them. */
  readonly excludes?: readonly string[];
  /** Whether more than {@link addressesMax} addresses are meant. Default false. */
  readonly allowLarge?: boolean;
  /** Decides the order. */
  readonly seed: number;
}

/** Addresses beyond which somebody must say that they are meant. */
export const addressesMax = 65_536;
/** Addresses beyond which nothing is looked through. */
const addressesLimit = 2 ** 24;

/**
 * Addresses to look through, in an order that spreads them over all ranges: no network is hit by all probes at once. In no
 * memory, whatever their number.
 */
export class AddressSpace {
  /** Addresses, those that are left out included. */
  readonly size: number;
  readonly #parts: readonly { readonly range: IpRange; readonly from: number }[];
  readonly #named: readonly IpRange[];
  readonly #excludes: readonly IpRange[];
  readonly #order: (index: number) => number;

  /** @throws {RangeError} for what is no range, for none, and for too many addresses */
  constructor({ ranges, excludes = [], allowLarge = false, seed }: AddressSpaceOptions) {
    this.#named = merged(ranges.map(parseRange));
    this.#excludes = excludes.map(parseRange);
    let size = 0n;
    this.#parts = this.#named.map((named) => {
      const range = withoutEnds(named);
      const from = Number(size);
      size += range.last - range.first + 1n;
      return { range, from };
    });
    if (size === 0n) throw new RangeError("expected a range at least, got none");
    const limit = allowLarge ? addressesLimit : addressesMax;
    if (size > BigInt(limit)) {
      const way = allowLarge ? "split the ranges" : "allow large scans if that is what you mean";
      throw new RangeError(`expected at most ${limit} addresses, got ${size}: ${way}`);
    }
    this.size = Number(size);
    this.#order = createPermutation(this.size, seed);
  }

  /** The address at a place in the order; undefined when it is left out. @param index - 0 to size − 1 */
  at(index: number): string | undefined {
    const place = this.#order(index);
    const part = this.#parts.findLast(({ from }) => from <= place)!;
    const address: IpAddress = {
      family: part.range.family,
      value: part.range.first + BigInt(place - part.from),
    };
    if (this.#excludes.some((range) => isInRange(address, range))) return undefined;
    return refusalOf(address, this.#named) === undefined ? formatAddress(address) : undefined;
  }
}

/** An IPv4 network's own address and its broadcast address are nobody's, but in the smallest. */
function withoutEnds({ family, first, last }: IpRange): IpRange {
  const isNetwork = family === 4 && last - first >= 3n;
  return isNetwork ? { family, first: first + 1n, last: last - 1n } : { family, first, last };
}

/** Ranges without those that are in others: what is listed twice is looked at once. */
function merged(ranges: readonly IpRange[]): IpRange[] {
  const sorted = ranges.toSorted(
    (a, b) => a.family - b.family || compare(a.first, b.first) || compare(b.last, a.last),
  );
  const kept: IpRange[] = [];
  for (const range of sorted) {
    const last = kept.at(-1);
    // Ranges of prefixes are nested or disjoint.
    if (last?.family === range.family && range.last <= last.last) continue;
    kept.push(range);
  }
  return kept;
}

function compare(a: bigint, b: bigint): number {
  return a < b ? -1 : a > b ? 1 : 0;
}
