import type { RaftNodeOptions } from "../node/options.ts";
import { type FaultKind, faultKinds } from "./fault.ts";
import type { SeededRandom } from "./seeded-random.ts";
import type { NetworkWeather } from "./sim-network.ts";

/** What a run is like. Drawn from its seed, so that runs differ in kind and not only in chance (swarm testing). */
export interface SimulationProfile {
  /** The first members; the other nodes may join. */
  readonly voters: number;
  readonly learners: number;
  readonly clients: number;
  /** Mean time between a client's operations. */
  readonly thinkMsMean: number;
  /** How many operations are queries. */
  readonly queryRate: number;
  readonly weather: NetworkWeather;
  readonly diskLatencyMsMean: number;
  readonly options: Partial<RaftNodeOptions>;
  /** Mean time between faults of a kind; a kind that is not there does not happen. */
  readonly faultGapMsMean: Readonly<Partial<Record<FaultKind, number>>>;
}

/**
 * Draws a profile. Each trouble is off in about half of the runs, so that troubles are met alone and in all
 * combinations: some bugs show only while nothing else is wrong. Some runs have little of everything, some are all
 * about one thing: memberships that change all the time, snapshots of every few entries, late messages.
 */
export function drawProfile(random: SeededRandom, nodes: number): SimulationProfile {
  const maybe = (rate: number): number => (random.chance(0.5) ? rate * random.next() ** 2 : 0);
  const weather: NetworkWeather = {
    lossRate: maybe(0.3),
    duplicateRate: maybe(0.1),
    delayMsMean: random.pick([0.5, 2, 10, 50]),
    tailRate: maybe(0.2),
    tailMsMax: random.pick([500, 2000, 10_000]),
    cutRate: maybe(0.5),
  };
  const clients = random.pick([1, 2, 3, 4, 6, 10, 20]);
  const thinkMsMean = random.pick([10, 50, 200, 800]);
  // Busy clients use up the steps of a run in little time; faults keep pace, or such runs would have none.
  const pace = random.pick([0.3, 1, 1, 2]) / (1 + (10 * clients) / (thinkMsMean + 20));
  const faultGapMsMean: Partial<Record<FaultKind, number>> = {};
  for (const kind of faultKinds) {
    const gap = pace * 1000 * 20 ** random.next();
    if (random.chance(RATES[kind] ?? 0.5)) {
      faultGapMsMean[kind] = kind === "wipe" ? 4 * gap : gap;
    }
  }
  // Two troubles of many parts, which would hardly ever come together: nodes that come and go all the time, under a
  // leader that stays, while what they said before is still on its way; and logs that are gone as soon as they are
  // applied, with leaders that come and go.
  const trouble = random.pick(["none", "none", "none", "none", "none", "none", "churn", "short logs"]);
  if (trouble === "short logs") {
    faultGapMsMean.partition = random.between(1000, 4000);
  }
  const voters = Math.min(nodes, random.pick([1, 2, 3, 3, 3, 4, 5, 5, 7]));
  // Without both of them removed servers disturb for ever, and no peace brings a leader that lasts.
  const preVote = random.chance(0.85);
  return {
    voters,
    learners: random.below(nodes - voters + 1),
    clients,
    thinkMsMean,
    queryRate: random.pick([0.1, 0.5, 0.8]),
    weather: trouble === "churn" ? { ...weather, tailRate: 0.3, tailMsMax: 10_000 } : weather,
    diskLatencyMsMean: random.pick([0.1, 1, 5, 20]),
    options: {
      tickMs: 100,
      heartbeatMs: 100,
      electionTimeoutMs: ELECTION_TIMEOUT_MS,
      preVote,
      checkQuorum: !preVote || random.chance(0.9),
      forwardProposals: random.chance(0.9),
      proposalTimeoutMs: 3000,
      readTimeoutMs: 2000,
      appendTimeoutMs: random.pick([3000, 10_000]),
      maxMessageBytes: random.pick([200, 1000, 1 << 20]),
      maxInflightMessages: random.pick([1, 2, 8, 256]),
      maxInflightBytes: random.pick([500, 8 << 20]),
      maxApplyBytes: random.pick([100, 1 << 20]),
      maxCachedBytes: random.pick([0, 500, 1 << 20]),
      maxUncommittedBytes: random.pick([2000, 1 << 20]),
      maxEntryBytes: 1000,
      maxPendingReads: random.pick([3, 1000]),
      snapshotEveryEntries: trouble === "short logs" ? 1 : random.pick([0, 1, 3, 5, 20, 100]),
      trailingEntries: trouble === "short logs" ? 0 : random.pick([0, 1, 5, 50]),
      hashEveryEntries: random.pick([0, 7]),
    },
    faultGapMsMean: trouble === "churn" ? { replace: random.between(1000, 3000) } : faultGapMsMean,
  };
}

/** How often a kind of fault is there at all, where it is not every other run. */
const RATES: Readonly<Partial<Record<FaultKind, number>>> = { wipe: 0.15, replace: 0.2 };

/** The election timeout of all runs, to measure recovery by. */
export const ELECTION_TIMEOUT_MS = 1000;
