import { rm } from "node:fs/promises";
import path from "node:path";
import { SeededRandom } from "@mon/raft/testing";
import { KeyValueClient } from "../../raft-service/client.ts";
import type { Plant } from "../../raft-service/service.ts";
import { Cluster } from "./cluster.ts";
import { drawSchedule, type Fault, type FaultKind } from "./fault.ts";
import { History } from "./history.ts";
import { Nemesis } from "./nemesis.ts";
import type { Network } from "./network.ts";
import { Workload, type WorkloadCounts } from "./workload.ts";

/** One cluster, from its start to its end. */
export interface RoundOptions {
  readonly seed: number;
  readonly nodes: number;
  /** How long faults happen. */
  readonly durationMs: number;
  /** A directory that is there, for the members' disks. */
  readonly directory: string;
  readonly network: Network["kind"];
  readonly kinds: readonly FaultKind[];
  readonly plant?: Plant | undefined;
  /** Instead of the seed's. */
  readonly schedule?: readonly Fault[] | undefined;
  readonly log: (line: string) => void;
}

/** What came of a round. */
export interface RoundResult extends WorkloadCounts {
  readonly seed: number;
  readonly nodes: number;
  readonly keys: number;
  readonly illegal: readonly string[];
  readonly unknownKeys: readonly string[];
  /** Why the cluster did not come to rest after all was healed; undefined when it did. */
  readonly unsettled: string | undefined;
  /** What members said that they should not, and exits that nobody asked for. */
  readonly alarms: readonly string[];
  /** Operations with an outcome in a second of load. */
  readonly rate: number;
  /** Faults, by kind. */
  readonly faults: Readonly<Record<string, number>>;
  /** Highest term at the end: how many elections there were, about. */
  readonly term: number;
  readonly settledMs: number;
  /** Snapshots that members took over from a leader. */
  readonly installs: number;
  /** Nodes that failed with their disk and were made anew. */
  readonly retries: number;
}

/** Operations with an outcome below which a round shows nothing. */
const operationsMin = 100;

const clientsPerMember = 3;
const readyTimeoutMs = 60_000;
const settleTimeoutMs = 45_000;

/** Whether there was load enough for a round to show something. */
export function isValid({ done }: RoundResult): boolean {
  return done >= operationsMin;
}

/** What is wrong in a round, or undefined. */
export function failureOf(result: RoundResult): string | undefined {
  const { alarms, illegal, unknownKeys, unsettled } = result;
  if (illegal.length > 0) return `illegal histories: ${illegal.join(", ")}`;
  if (alarms.length > 0) return alarms.join("; ");
  if (unsettled !== undefined) return `unsettled: ${unsettled}`;
  if (unknownKeys.length > 0) return `not searched to the end: ${unknownKeys.join(", ")}`;
  return undefined;
}

/**
 * Starts a cluster, has clients use it while faults happen, heals it, waits until its members agree, and checks what the
 * clients saw.
 */
export async function runRound(options: RoundOptions): Promise<RoundResult> {
  const { directory, durationMs, kinds, log, network, nodes, plant, seed } = options;
  const random = new SeededRandom(seed, "round");
  const members = nodes + 1;
  const schedule = options.schedule ?? drawSchedule({ seed, members, durationMs, kinds });
  const fillsDisk = schedule.some(({ kind }) => kind === "full-disk");
  const victims = random.shuffle(Array.from({ length: members }, (_, place) => place));
  const smallDisks = new Set(fillsDisk ? victims.slice(0, 1 + random.below(2)) : []);
  const home = path.join(directory, `round-${seed}`);
  const history = new History();
  // Written by members that served long enough; processes that are killed write nothing when they end.
  const env = { NODE_COMPILE_CACHE: path.join(directory, "compile-cache") };
  const workload = new Workload(history);
  const cluster = await Cluster.start({ nodes, directory: home, network, smallDisks, plant, env });
  const nemesis = new Nemesis(cluster, random.stream("nemesis"), log);
  let unsettled: string | undefined;
  let term = 0;
  let loadMs = 0;
  let settledMs = 0;
  try {
    unsettled = await cluster.settle(readyTimeoutMs);
    if (unsettled === undefined) {
      const startedAt = performance.now();
      for (const member of cluster.members) {
        for (let at = 0; at < clientsPerMember; at++) {
          const name = `${member.id}${at}`;
          workload.add(member, random.stream(name), name);
        }
      }
      await nemesis.run(schedule);
      await cluster.heal();
      await workload.stop();
      loadMs = performance.now() - startedAt;
      const healedAt = performance.now();
      unsettled = await cluster.settle(settleTimeoutMs);
      settledMs = Math.round(performance.now() - healedAt);
      unsettled ??= await readAll(cluster, history);
      term = (await cluster.leader())?.term ?? 0;
    }
  } finally {
    await workload.stop();
    await cluster.close();
  }
  const { illegal, keys, unknown } = history.check();
  for (const key of illegal) log(`history of ${key}:\n${history.describe(key)}`);
  const result: RoundResult = {
    ...workload.counts,
    seed,
    nodes,
    keys,
    illegal,
    unknownKeys: unknown,
    unsettled,
    alarms: cluster.members.flatMap(({ alarms }) => alarms),
    rate: Math.round(workload.counts.done / Math.max(loadMs / 1000, 0.001)),
    faults: nemesis.done,
    term,
    settledMs,
    installs: linesOf(cluster, /snapshot installed/),
    retries: linesOf(cluster, /retrying in/),
  };
  if (failureOf(result) === undefined) {
    await rm(home, { recursive: true });
  }
  if (failureOf(result) !== undefined || !isValid(result)) {
    for (const member of cluster.members) log(`${member.id} said:\n${member.lines.slice(-40).join("\n")}`);
  }
  return result;
}

/** How many of the lines that members wrote, and that were kept, say something. */
function linesOf({ members }: Cluster, pattern: RegExp): number {
  return members.flatMap(({ lines }) => lines.filter((line) => pattern.test(line))).length;
}

/**
 * Reads every key once more, each through a member of its own: what was acknowledged must be there.
 *
 * @returns what kept it from it, or undefined
 */
async function readAll(cluster: Cluster, history: History): Promise<string | undefined> {
  const leader = await cluster.leader();
  const clients = (leader?.conf.voters ?? []).map((id) => new KeyValueClient(cluster.member(id).authority));
  const read = async (key: string, client: KeyValueClient): Promise<void> => {
    const calledAt = performance.now();
    const answer = await client.call({ kind: "get", key: Buffer.from(key) });
    if (answer.error !== undefined) throw new Error(`expected a value of ${key}, got ${answer.error}`);
    const output = answer.value === undefined ? null : Buffer.from(answer.value).toString();
    const revision = answer.revision + 0.5;
    history.add(key, { input: { kind: "get" }, output, calledAt, returnedAt: performance.now(), revision });
  };
  try {
    await Promise.all(history.keys.map((key, at) => read(key, clients[at % clients.length]!)));
    return undefined;
  } catch (error) {
    return (error as Error).message;
  } finally {
    await Promise.all(clients.map((client) => client.close()));
  }
}
