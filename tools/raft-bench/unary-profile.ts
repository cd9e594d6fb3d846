import { mkdtemp, readdir, readFile } from "node:fs/promises";
import path from "node:path";
import { byPackage, type CpuProfile, selfTimes } from "../bench/cpu-profile.ts";
import { openUnaryDoor, putPaths } from "./doors.ts";
import { runLoad } from "./load.ts";
import { ServiceCluster } from "./service-cluster.ts";

/** Concurrent calls. */
export const profiledClients = 256;

/** Where the leader's main thread spends its time while it answers unary calls. */
export interface UnaryProfile {
  readonly putsPerSecond: number;
  /** For a put, by package, most first. */
  readonly packages: readonly { readonly packageName: string; readonly usPerPut: number }[];
  /** The dearest functions. */
  readonly functions: readonly { readonly functionName: string; readonly usPerPut: number }[];
}

const functionsShown = 12;

/** Profiles a cluster of its own, warmed for as long as it is measured. */
export async function profileUnary(parent: string, seconds: number): Promise<UnaryProfile> {
  const directory = await mkdtemp(path.join(parent, "profile-"));
  const { leaderPid, puts, putsPerSecond, startUs, endUs } = await load(directory, seconds);
  const file = (await readdir(directory)).find((name) => name.includes(`.${leaderPid}.`));
  if (file === undefined) throw new Error(`expected the leader to leave a profile in ${directory}`);
  const profile = JSON.parse(await readFile(path.join(directory, file), "utf8")) as CpuProfile;
  const times = selfTimes(profile, startUs, endUs);
  return {
    putsPerSecond,
    packages: byPackage(times).map(({ packageName, us }) => {
      return { packageName: packageName === "(other)" ? "the service" : packageName, usPerPut: us / puts };
    }),
    functions: times.slice(0, functionsShown).map(({ functionName, us }) => {
      return { functionName, usPerPut: us / puts };
    }),
  };
}

async function load(directory: string, seconds: number) {
  // The profile is written as the member goes.
  await using cluster = await ServiceCluster.start(directory, ["--cpu-prof", "--cpu-prof-dir", directory]);
  const door = await openUnaryDoor(cluster.leaderPort, putPaths.mon, profiledClients);
  await runLoad(door, profiledClients, seconds);
  const startUs = nowUs();
  const { puts, seconds: elapsed } = await runLoad(door, profiledClients, seconds);
  const endUs = nowUs();
  door.close();
  return { leaderPid: cluster.leaderPid, puts, putsPerSecond: puts / elapsed, startUs, endUs };
}

/** On the clock that profiles use. */
function nowUs(): number {
  return Number(process.hrtime.bigint() / 1_000n);
}
