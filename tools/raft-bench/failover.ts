import { setTimeout as delay } from "node:timers/promises";
import { type Door, openStreamDoor } from "./doors.ts";
import { putRequest } from "./load.ts";
import { ServiceCluster } from "./service-cluster.ts";

/** Puts that are always under way. */
const loadClients = 64;
/** How often a put is tried while there is no leader. */
const probeMs = 2;
/** How long a round runs before its leader dies. */
const calmMs = 300;
const giveUpMs = 30_000;

export interface FailoverOptions {
  readonly directory: string;
  readonly rounds: number;
  readonly progress: (text: string) => void;
}

/**
 * Kills the leader under load, again and again, with default timeouts; each time the process comes back over its disk before
 * the next dies.
 *
 * @returns for each round, the milliseconds from the kill until a put that was sent after it is acknowledged
 */
export async function measureFailovers({ directory, progress, rounds }: FailoverOptions): Promise<number[]> {
  await using cluster = await ServiceCluster.start(directory);
  const taken: number[] = [];
  for (let round = 1; round <= rounds; round++) {
    const ms = await failOver(cluster);
    taken.push(ms);
    progress(`failover ${round} of ${rounds}: ${ms.toFixed(0)} ms`);
    await cluster.restartKilled();
  }
  return taken;
}

async function failOver(cluster: ServiceCluster): Promise<number> {
  const doors = await Promise.all(cluster.followerPorts.map((port) => openStreamDoor(port)));
  const stopLoad = startLoad(doors);
  try {
    await delay(calmMs);
    const killedMs = performance.now();
    cluster.killLeader();
    return (await nextAcknowledgement(doors)) - killedMs;
  } finally {
    stopLoad();
    for (const door of doors) door.close();
  }
}

/** Clients of the followers, which hand puts to the leader. */
function startLoad(doors: readonly Door[]): () => void {
  let isStopped = false;
  const put = putRequest("load");
  const client = (door: Door): void => {
    door.put(put, (ok) => {
      if (isStopped) return;
      if (ok) client(door);
      else void delay(probeMs).then(() => isStopped || client(door));
    });
  };
  for (let at = 0; at < loadClients; at++) client(doors[at % doors.length]!);
  return () => {
    isStopped = true;
  };
}

/** Sends puts to everybody, without waiting for those before, until one is acknowledged. */
async function nextAcknowledgement(doors: readonly Door[]): Promise<number> {
  const { promise, resolve } = Promise.withResolvers<number>();
  const put = putRequest("probe");
  const endMs = performance.now() + giveUpMs;
  let isAcknowledged = false;
  const done = (ok: boolean): void => {
    if (!ok || isAcknowledged) return;
    isAcknowledged = true;
    resolve(performance.now());
  };
  while (!isAcknowledged) {
    if (performance.now() > endMs) throw new Error(`expected a put to be acknowledged within ${giveUpMs} ms`);
    for (const door of doors) door.put(put, done);
    await Promise.race([promise, delay(probeMs)]);
  }
  return await promise;
}
