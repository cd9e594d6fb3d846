import type { Member } from "./state/member.ts";

/** What the plan of voters is made from. */
export interface VoterSituation {
  readonly members: readonly Member[];
  /** The membership of Raft; none of its changes is under way. */
  readonly voters: readonly string[];
  readonly learners: readonly string[];
  readonly leaderId: string;
  /** Members that answer now; the leader among them. */
  readonly live: ReadonlySet<string>;
  /** Since when those that do not answer have been silent; by the same clock as `nowMs`. */
  readonly silentSinceMs: ReadonlyMap<string, number>;
  /** Learners whose log is close enough to the leader's to count on them. */
  readonly caughtUp: ReadonlySet<string>;
  readonly nowMs: number;
}

/** How voters are planned. */
export interface VoterOptions {
  /** Voters at most: 3, 5 or 7; 5. More survive more deaths and make every change slower. */
  readonly maxVoters: number;
  /** How long a voter may be silent before a learner takes its place, 300,000 ms (R35). */
  readonly replaceAfterMs: number;
}

/** What holds where an option is not given. */
export const defaultVoterOptions: VoterOptions = Object.freeze({ maxVoters: 5, replaceAfterMs: 300_000 });

/** One step of a change of Raft's membership; all steps of a plan are one joint change. */
export interface VoterStep {
  readonly kind: "addVoter" | "addLearner" | "remove";
  readonly nodeId: string;
}

/** What to change next, and why. */
export interface VoterPlan {
  readonly steps: readonly VoterStep[];
  readonly reason: string;
}

/** Voters of a cluster of so many members: odd, so that one more could not fail without harm. */
export function voterCount(members: number, maxVoters: number): number {
  if (members < 3) return Math.min(members, 1);
  const odd = members % 2 === 1 ? members : members - 1;
  return Math.min(odd, maxVoters, 7);
}

/**
 * The next change of Raft's membership that brings it nearer to what the members call for, or undefined when nothing is
 * to be done, or nothing can be done safely now. A plan is proposed only when a majority of the voters before, and one
 * of those after, answers: otherwise it would not commit, or nothing after it would.
 *
 * In this order: those who left go; members become learners; a voter that has been silent for long makes room for a
 * learner; learners become voters until there are {@link voterCount}, over as many zones as there are; voters that are
 * too many become learners. O(members²), for some dozens.
 *
 * @throws {RangeError} for `maxVoters` that is not 1, 3, 5 or 7
 */
export function planVoters(
  situation: VoterSituation,
  options: Partial<VoterOptions> = {},
): VoterPlan | undefined {
  const resolved = { ...defaultVoterOptions, ...options };
  if (![1, 3, 5, 7].includes(resolved.maxVoters)) {
    throw new RangeError(`expected maxVoters of 1, 3, 5 or 7, got ${resolved.maxVoters}`);
  }
  const ways = [removal, newcomers, replacement, addition, reduction];
  for (const way of ways) {
    const plan = way(situation, resolved);
    if (plan !== undefined && isSafe(situation, plan.steps)) return plan;
  }
  return undefined;
}

type Way = (situation: VoterSituation, options: VoterOptions) => VoterPlan | undefined;

const removal: Way = ({ members, voters, learners, leaderId }) => {
  const staying = new Set(members.filter(({ state }) => state !== "left").map(({ nodeId }) => nodeId));
  // The leader goes last: it hands over to another first, which then removes it.
  const gone = [...learners, ...voters].filter((nodeId) => !staying.has(nodeId) && nodeId !== leaderId);
  return gone.length === 0 ? undefined : { steps: gone.map(remove), reason: `${gone.join(", ")} left` };
};

const newcomers: Way = ({ members, voters, learners }) => {
  const known = new Set([...voters, ...learners]);
  const added = candidates(members).filter(({ nodeId }) => !known.has(nodeId));
  if (added.length === 0) return undefined;
  const names = added.map(({ nodeId }) => nodeId);
  return {
    steps: names.map((nodeId) => ({ kind: "addLearner", nodeId })),
    reason: `${names.join(", ")} joined`,
  };
};

const replacement: Way = (situation, { replaceAfterMs }) => {
  const { voters, silentSinceMs, live, nowMs } = situation;
  const dead = voters.find((nodeId) => {
    const sinceMs = silentSinceMs.get(nodeId);
    return !live.has(nodeId) && sinceMs !== undefined && nowMs - sinceMs >= replaceAfterMs;
  });
  if (dead === undefined) return undefined;
  const kept = voters.filter((nodeId) => nodeId !== dead);
  const [successor] = spread(situation, kept, 1);
  if (successor === undefined) return undefined;
  const steps: VoterStep[] = [
    { kind: "addVoter", nodeId: successor },
    { kind: "addLearner", nodeId: dead },
  ];
  return { steps, reason: `${dead} has been silent for ${nowMs - silentSinceMs.get(dead)!} ms` };
};

const addition: Way = (situation, { maxVoters }) => {
  const { members, voters } = situation;
  const wanted = voterCount(candidates(members).length, maxVoters);
  if (voters.length >= wanted) return undefined;
  const found = spread(situation, voters, wanted - voters.length);
  // From one odd number to the next: an even one survives no more and needs one more to agree.
  const count = found.length - ((voters.length + found.length) % 2 === 0 ? 1 : 0);
  if (count <= 0) return undefined;
  const steps = found.slice(0, count).map((nodeId): VoterStep => ({ kind: "addVoter", nodeId }));
  return { steps, reason: `${wanted} voters for ${candidates(members).length} members` };
};

const reduction: Way = (situation, { maxVoters }) => {
  const { members, voters, live, leaderId } = situation;
  const standing = new Map(candidates(members).map((member) => [member.nodeId, member]));
  const wanted = voterCount(standing.size, maxVoters);
  const excess = voters.length - wanted;
  if (excess <= 0) return undefined;
  const perZone = new Map<string, number>();
  const zoneOf = (nodeId: string): string => standing.get(nodeId)?.zone ?? "";
  for (const nodeId of voters) perZone.set(zoneOf(nodeId), (perZone.get(zoneOf(nodeId)) ?? 0) + 1);
  const demoted: string[] = [];
  const left = voters.filter((nodeId) => nodeId !== leaderId);
  while (demoted.length < excess) {
    left.sort(
      (a, b) =>
        Number(standing.has(a)) - Number(standing.has(b)) ||
        Number(live.has(a)) - Number(live.has(b)) ||
        perZone.get(zoneOf(b))! - perZone.get(zoneOf(a))! ||
        (a < b ? 1 : -1),
    );
    const next = left.shift();
    if (next === undefined) break;
    perZone.set(zoneOf(next), perZone.get(zoneOf(next))! - 1);
    demoted.push(next);
  }
  const steps = demoted.map((nodeId): VoterStep => ({ kind: "addLearner", nodeId }));
  return { steps, reason: `${wanted} voters for ${standing.size} members` };
};

/** Members that count: those that are not on their way out. */
function candidates(members: readonly Member[]): Member[] {
  return members.filter(({ state }) => state !== "left" && state !== "leaving");
}

/** Learners that may become voters, so many at most, those of the zones with the fewest voters first. */
function spread(
  { members, learners, live, caughtUp }: VoterSituation,
  voters: readonly string[],
  count: number,
): string[] {
  const zones = new Map(members.map(({ nodeId, zone }) => [nodeId, zone]));
  const perZone = new Map<string, number>();
  const add = (nodeId: string): void => {
    const zone = zones.get(nodeId) ?? "";
    perZone.set(zone, (perZone.get(zone) ?? 0) + 1);
  };
  for (const nodeId of voters) add(nodeId);
  const able = candidates(members)
    .filter(
      ({ nodeId, state }) =>
        state !== "down" && learners.includes(nodeId) && live.has(nodeId) && caughtUp.has(nodeId),
    )
    .map(({ nodeId }) => nodeId);
  const chosen: string[] = [];
  while (chosen.length < count && able.length > 0) {
    const load = (nodeId: string): number => perZone.get(zones.get(nodeId)!) ?? 0;
    able.sort((a, b) => load(a) - load(b) || (a < b ? -1 : 1));
    const next = able.shift()!;
    add(next);
    chosen.push(next);
  }
  return chosen;
}

/** Whether majorities before and after the steps answer now. */
function isSafe({ voters, live }: VoterSituation, steps: readonly VoterStep[]): boolean {
  const after = new Set(voters);
  for (const { kind, nodeId } of steps) {
    if (kind === "addVoter") after.add(nodeId);
    else after.delete(nodeId);
  }
  return hasMajority(voters, live) && hasMajority([...after], live);
}

function hasMajority(voters: readonly string[], live: ReadonlySet<string>): boolean {
  return voters.filter((nodeId) => live.has(nodeId)).length > voters.length / 2;
}

function remove(nodeId: string): VoterStep {
  return { kind: "remove", nodeId };
}
