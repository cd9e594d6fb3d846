import { SeededRandom } from "@mon/raft/testing";

/** What can be done to a cluster. */
export const faultKinds = [
  "kill",
  "pause",
  "partition",
  "full-disk",
  "transfer",
  "membership",
  "snapshot",
] as const;
export type FaultKind = (typeof faultKinds)[number];

/**
 * Who is cut off from whom: two halves, one member from all others, one that is not heard, one that does not hear, and a
 * ring in which members only reach their neighbours.
 */
export const partitionShapes = ["halves", "isolated", "mute", "deaf", "ring"] as const;
export type PartitionShape = (typeof partitionShapes)[number];

/** One thing that happens, and is undone later. Members are meant by their place in the list of those that run. */
export interface Fault {
  readonly kind: FaultKind;
  /** Since the start of the load. */
  readonly atMs: number;
  readonly durationMs: number;
  /** Whether it hits who leads then; else `victims`. */
  readonly hitsLeader: boolean;
  readonly victims: readonly number[];
  readonly shape: PartitionShape;
}

/** What a schedule is drawn for. */
export interface FaultScheduleOptions {
  readonly seed: number;
  readonly members: number;
  readonly durationMs: number;
  /** Kinds that can be had on this machine. */
  readonly kinds: readonly FaultKind[];
}

/** Weighs what hurts more. */
const weights: Readonly<Record<FaultKind, number>> = {
  kill: 4,
  pause: 3,
  partition: 5,
  "full-disk": 2,
  transfer: 2,
  membership: 3,
  snapshot: 1,
};

/** The faults of a seed, in order of time. They may overlap. */
export function drawSchedule({ durationMs, kinds, members, seed }: FaultScheduleOptions): Fault[] {
  const random = new SeededRandom(seed, "faults");
  const urn = kinds.flatMap((kind) => Array.from({ length: weights[kind] }, () => kind));
  const faults: Fault[] = [];
  for (let atMs = random.between(200, 800); atMs < durationMs * 0.85; atMs += random.between(800, 2_800)) {
    const order = random.shuffle(Array.from({ length: members }, (_, place) => place));
    // Now and then more than a minority: the cluster stands still, and must go on afterwards.
    const count = random.chance(0.1) ? members : 1 + random.below(Math.ceil(members / 2));
    faults.push({
      kind: random.pick(urn),
      atMs: Math.round(atMs),
      durationMs: Math.round(random.between(300, 2_000)),
      hitsLeader: random.chance(0.5),
      victims: order.slice(0, count),
      shape: random.pick(partitionShapes),
    });
  }
  return faults;
}

/** The ordered pairs of members that a partition cuts. */
export function cutsOf(shape: PartitionShape, ids: readonly string[], victims: readonly string[]) {
  const cuts: (readonly [string, string])[] = [];
  const last = ids.length - 1;
  for (const [at, from] of ids.entries()) {
    for (const [to, target] of ids.entries()) {
      if (from === target) continue;
      const isCut = {
        halves: victims.includes(from) !== victims.includes(target),
        isolated: from === victims[0] || target === victims[0],
        mute: from === victims[0],
        deaf: target === victims[0],
        ring: ids.length > 3 ? ![1, last].includes(Math.abs(at - to)) : from === victims[0] && at + 1 === to,
      }[shape];
      if (isCut) cuts.push([from, target]);
    }
  }
  return cuts;
}
