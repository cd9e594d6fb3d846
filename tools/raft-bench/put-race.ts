import { cpuSeconds } from "../bench/cpu-time.ts";
import type { Cluster } from "./cluster.ts";
import { type Door, openStreamDoor, openUnaryDoor, putPaths } from "./doors.ts";
import { startEtcd } from "./etcd-cluster.ts";
import { measurePutFloor, type PutFloor } from "./floor.ts";
import { type LoadResult, runLoad } from "./load.ts";
import { ServiceCluster } from "./service-cluster.ts";

/** Who is measured, and by which door. */
export type Lane = "etcd" | "mon stream" | "mon unary";
export const lanes: readonly Lane[] = ["etcd", "mon stream", "mon unary"];

/** One visit of one lane. */
export interface PutVisit extends LoadResult {
  readonly lane: Lane;
  readonly clients: number;
  /** Processor time of all members. */
  readonly serverCpuSeconds: number;
  /** Syncs of the log, of all members. */
  readonly syncs: number;
}

export interface PutRace {
  readonly floors: readonly PutFloor[];
  readonly visits: readonly PutVisit[];
}

export interface PutRaceOptions {
  readonly directory: string;
  readonly clients: readonly number[];
  readonly seconds: number;
  readonly warmSeconds: number;
  readonly rounds: number;
  readonly progress: (text: string) => void;
}

/** Of each lane, before anything is measured. */
const warmUpSeconds = 5;

/**
 * Puts values into etcd and into the service. Both run all the time, so what the idle one costs is the same for all; lanes
 * take turns, in every other round the other way round.
 */
export async function racePuts(options: PutRaceOptions): Promise<PutRace> {
  const { clients, directory, progress, rounds } = options;
  await using etcd = await startEtcd(directory);
  await using mon = await ServiceCluster.start(directory);
  // Code that has run for a while is faster, on both sides: what is measured is a server that is up, not one that starts.
  for (const lane of lanes)
    await visitLane(lane, lane === "etcd" ? etcd : mon, 64, { ...options, seconds: warmUpSeconds });
  progress("both are warm");
  const floors: PutFloor[] = [];
  const visits: PutVisit[] = [];
  for (let round = 0; round < rounds; round++) {
    floors.push(await measurePutFloor(directory));
    for (const count of clients) {
      for (const lane of round % 2 === 0 ? lanes : lanes.toReversed()) {
        const visit = await visitLane(lane, lane === "etcd" ? etcd : mon, count, options);
        visits.push(visit);
        const rate = Math.round(visit.puts / visit.seconds).toLocaleString("en");
        progress(`round ${round + 1} of ${rounds}, ${lane}, ${count} clients: ${rate} puts/s`);
      }
    }
  }
  return { floors, visits };
}

async function visitLane(
  lane: Lane,
  cluster: Cluster,
  clients: number,
  { seconds, warmSeconds }: PutRaceOptions,
): Promise<PutVisit> {
  if (cluster instanceof ServiceCluster) await cluster.findLeader();
  const door = await openDoor(lane, cluster.leaderPort, clients);
  try {
    await runLoad(door, clients, warmSeconds);
    const cpuOf = (): number => cluster.pids.reduce((sum, pid) => sum + cpuSeconds(pid), 0);
    const [cpuBefore, syncsBefore] = [cpuOf(), await cluster.logSyncs()];
    const result = await runLoad(door, clients, seconds);
    const serverCpuSeconds = cpuOf() - cpuBefore;
    return { lane, clients, ...result, serverCpuSeconds, syncs: (await cluster.logSyncs()) - syncsBefore };
  } finally {
    door.close();
  }
}

async function openDoor(lane: Lane, port: number, clients: number): Promise<Door> {
  switch (lane) {
    case "etcd":
      return await openUnaryDoor(port, putPaths.etcd, clients);
    case "mon unary":
      return await openUnaryDoor(port, putPaths.mon, clients);
    case "mon stream":
      return await openStreamDoor(port);
  }
}
