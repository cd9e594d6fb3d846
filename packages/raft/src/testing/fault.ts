import type { ConfChangeStep } from "../conf-change.ts";
import type { NodeId } from "../entry.ts";
import type { SeededRandom } from "./seeded-random.ts";
import type { SimDiskState } from "./sim-disk.ts";

/** How the links between nodes are cut: which directions between which nodes. */
export type PartitionShape = "split" | "isolate" | "oneWayIn" | "oneWayOut" | "bridge" | "ring";

/** In place of a node: whoever leads when the fault comes. */
export const LEADER: NodeId = "leader";

/**
 * Something that goes wrong, or that an operator does, at a time. Plain data, and each is complete in itself: it ends
 * by itself after `forMs`, so that any of them can be left out of a run.
 */
export type Fault =
  /** The power fails, and comes back. */
  | { readonly kind: "crash"; readonly atMs: number; readonly forMs: number; readonly node: NodeId }
  /** Stopped in good order, and started again. */
  | { readonly kind: "stop"; readonly atMs: number; readonly forMs: number; readonly node: NodeId }
  /** The process gets no processor time (SIGSTOP). */
  | { readonly kind: "pause"; readonly atMs: number; readonly forMs: number; readonly node: NodeId }
  /** The disk is lost and replaced by an empty one. */
  | { readonly kind: "wipe"; readonly atMs: number; readonly forMs: number; readonly node: NodeId }
  /** A node is removed and, after a while, added again; when `wiped`, because its disk is lost. */
  | {
      readonly kind: "replace";
      readonly atMs: number;
      readonly forMs: number;
      readonly node: NodeId;
      readonly wiped: boolean;
    }
  | {
      readonly kind: "disk";
      readonly atMs: number;
      readonly forMs: number;
      readonly node: NodeId;
      readonly state: SimDiskState;
    }
  | {
      readonly kind: "skew";
      readonly atMs: number;
      readonly node: NodeId;
      readonly offsetMs: number;
      readonly rate: number;
    }
  | {
      readonly kind: "partition";
      readonly atMs: number;
      readonly forMs: number;
      readonly shape: PartitionShape;
      /** All nodes, in the order that the shape is laid over. */
      readonly nodes: readonly NodeId[];
      /** How many of them the shape sets apart. */
      readonly apart: number;
      /** Whether the leader of that time takes the first place. */
      readonly aimed: boolean;
    }
  /** Links clog one by one and open in another order (swizzle-clogging). */
  | {
      readonly kind: "swizzle";
      readonly atMs: number;
      readonly forMs: number;
      readonly nodes: readonly NodeId[];
      readonly opening: readonly NodeId[];
    }
  | { readonly kind: "transfer"; readonly atMs: number; readonly node: NodeId }
  | { readonly kind: "change"; readonly atMs: number; readonly steps: readonly ConfChangeStep[] }
  | { readonly kind: "snapshot"; readonly atMs: number; readonly node: NodeId };

export type FaultKind = Fault["kind"];

/** All kinds, in the order in which they are drawn. */
export const faultKinds: readonly FaultKind[] = [
  "crash",
  "stop",
  "pause",
  "wipe",
  "replace",
  "disk",
  "skew",
  "partition",
  "swizzle",
  "transfer",
  "change",
  "snapshot",
];

/**
 * Draws the faults of a run.
 *
 * @param gapMsMean - mean time between two of a kind; a kind that is not there does not happen
 * @returns ascending by time
 */
export function drawFaults(
  random: SeededRandom,
  gapMsMean: Readonly<Partial<Record<FaultKind, number>>>,
  nodes: readonly NodeId[],
  horizonMs: number,
): Fault[] {
  const faults: Fault[] = [];
  for (const kind of faultKinds) {
    const gap = gapMsMean[kind];
    if (gap === undefined) {
      continue;
    }
    const own = random.stream(kind);
    for (let atMs = own.exponential(gap); atMs < horizonMs; atMs += own.exponential(gap)) {
      faults.push(drawFault(own, kind, Math.round(atMs), nodes));
    }
  }
  return faults.sort((a, b) => a.atMs - b.atMs);
}

function drawFault(random: SeededRandom, kind: FaultKind, atMs: number, nodes: readonly NodeId[]): Fault {
  const aimed = random.chance(0.35);
  const one = random.pick(nodes);
  const node = aimed ? LEADER : one;
  switch (kind) {
    case "crash":
    case "stop":
      return { kind, atMs, forMs: duration(random, 3000), node };
    case "pause":
      return { kind, atMs, forMs: duration(random, 5000), node };
    case "wipe":
      return { kind, atMs, forMs: duration(random, 2000), node };
    case "replace":
      return { kind, atMs, forMs: duration(random, 1000), node: one, wiped: random.chance(0.7) };
    case "disk":
      return {
        kind,
        atMs,
        forMs: duration(random, 4000),
        node,
        state: random.pick(["slow", "slow", "full", "failing", "hung"]),
      };
    case "skew":
      return {
        kind,
        atMs,
        node,
        offsetMs: Math.round(random.between(-5000, 5000)),
        rate: random.between(0.9, 1.1),
      };
    case "partition":
      return {
        kind,
        atMs,
        forMs: duration(random, random.pick([1500, 5000])),
        shape: random.pick(["split", "isolate", "oneWayIn", "oneWayOut", "bridge", "ring"]),
        nodes: random.shuffle(nodes),
        apart: 1 + random.below(Math.max(1, nodes.length - 1)),
        aimed,
      };
    case "swizzle": {
      const some = random.shuffle(nodes).slice(0, 1 + random.below(nodes.length));
      return { kind, atMs, forMs: duration(random, 3000), nodes: some, opening: random.shuffle(some) };
    }
    case "transfer":
      return { kind, atMs, node: one };
    case "snapshot":
      return { kind, atMs, node };
    case "change":
      return { kind, atMs, steps: drawChange(random, nodes) };
    default:
      return kind satisfies never;
  }
}

function drawChange(random: SeededRandom, nodes: readonly NodeId[]): ConfChangeStep[] {
  const count = random.chance(0.6) ? 1 : 1 + random.below(3);
  return random
    .shuffle(nodes)
    .slice(0, count)
    .map((id) => ({ kind: random.pick(["addVoter", "addVoter", "addLearner", "remove"] as const), id }));
}

/** Short ones are the rule, long ones happen. */
function duration(random: SeededRandom, meanMs: number): number {
  return Math.round(20 + random.exponential(meanMs));
}

/**
 * The directed links that a partition cuts.
 *
 * - `split`: no word between those apart and the rest;
 * - `isolate`: no word to or from the first;
 * - `oneWayIn`, `oneWayOut`: those apart hear nothing of the rest, or are not heard by it;
 * - `bridge`: two halves, and one node that sees both;
 * - `ring`: each hears its neighbours only.
 */
export function cutLinks(shape: PartitionShape, nodes: readonly NodeId[], apart: number): [NodeId, NodeId][] {
  const place = new Map(nodes.map((id, at) => [id, at]));
  const isCut = (from: number, to: number): boolean => {
    const fromApart = from < apart;
    const toApart = to < apart;
    switch (shape) {
      case "split":
        return fromApart !== toApart;
      case "isolate":
        return from === 0 || to === 0;
      case "oneWayIn":
        return !fromApart && toApart;
      case "oneWayOut":
        return fromApart && !toApart;
      case "bridge":
        return from !== 0 && to !== 0 && from % 2 !== to % 2;
      case "ring": {
        const distance = Math.abs(from - to);
        return distance > 1 && distance < nodes.length - 1;
      }
      default:
        return shape satisfies never;
    }
  };
  return nodes.flatMap((from) =>
    nodes
      .filter((to) => to !== from && isCut(place.get(from)!, place.get(to)!))
      .map((to): [NodeId, NodeId] => [from, to]),
  );
}
