import { createRing, type HashRing, plan } from "@mon/hashring";
import type { RingState } from "./state/cluster-state.ts";

/** What a change of the ring would do. */
export interface RingPreview {
  /** By member, sorted by id: its share of the key space before and after, 0 where it is not there. */
  readonly shares: readonly { readonly nodeId: string; readonly before: number; readonly after: number }[];
  /** Share of the key space that gets a holder which did not hold it. */
  readonly moved: number;
  /** Copies that are made, in shares of the key space: {@link moved}, once for each new holder. */
  readonly copies: number;
  /** By member that gains something: from whom it may be copied, and what share. */
  readonly flows: readonly {
    readonly to: string;
    readonly from: readonly string[];
    readonly share: number;
  }[];
}

const keySpace = 2 ** 32;

/** The ring of a state. O(points × log points). */
export function ringOf({ members, parameters }: RingState): HashRing {
  return createRing({
    members: members.map(({ id, weight, zone }) => ({ id, weight, ...(zone === "" ? {} : { zone }) })),
    parameters,
  });
}

/** Compares two rings. O(points × copies). @throws {RingError} RING_INCOMPARABLE when all keys would move */
export function previewRing(before: HashRing, after: HashRing): RingPreview {
  const sharesBefore = before.shares();
  const sharesAfter = after.shares();
  const ids = [...new Set([...sharesBefore.keys(), ...sharesAfter.keys()])].sort();
  const flows = new Map<string, { from: Set<string>; share: number }>();
  let moved = 0;
  let copies = 0;
  for (const { start, end, from, gained } of plan(before, after)) {
    const share = (end - start + 1) / keySpace;
    if (gained.length > 0) moved += share;
    copies += share * gained.length;
    for (const nodeId of gained) {
      const flow = flows.get(nodeId) ?? { from: new Set(), share: 0 };
      for (const source of from) flow.from.add(source);
      flow.share += share;
      flows.set(nodeId, flow);
    }
  }
  return {
    shares: ids.map((nodeId) => ({
      nodeId,
      before: sharesBefore.get(nodeId) ?? 0,
      after: sharesAfter.get(nodeId) ?? 0,
    })),
    moved,
    copies,
    flows: [...flows]
      .sort(([a], [b]) => (a < b ? -1 : 1))
      .map(([to, { from, share }]) => ({ to, from: [...from].sort(), share })),
  };
}
