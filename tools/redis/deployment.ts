import { execFile } from "node:child_process";
import { mkdtempSync } from "node:fs";
import { tmpdir } from "node:os";
import path from "node:path";
import { setTimeout as delay } from "node:timers/promises";
import { promisify } from "node:util";
import { Redis } from "ioredis";
import { freePorts, type RedisDirectives, RedisServer, removeFolder } from "./redis-server.ts";

/** The ways to run Redis that mon knows. */
export const deploymentKinds = ["standalone", "sentinel", "cluster"] as const;
export type DeploymentKind = (typeof deploymentKinds)[number];

/** A local Redis made of real processes. */
export interface RedisDeployment extends AsyncDisposable {
  readonly kind: DeploymentKind;
  /** What a program connects to: the server, the sentinels, or the cluster's nodes, as host:port. */
  readonly addresses: readonly string[];
  /** The name that sentinels know the primary by. */
  readonly masterName: string | undefined;
  /** Servers that hold data; the first are primaries at the start. */
  readonly servers: readonly RedisServer[];
  readonly sentinels: readonly RedisServer[];
  /** Ends all processes and removes their files. Idempotent. */
  stop(): Promise<void>;
}

/** How a deployment is started. */
export interface DeploymentOptions {
  /** For every server that holds data; by default nothing is persisted. */
  readonly directives?: RedisDirectives;
  /** After how long a silent server is taken for dead, by sentinels and cluster nodes, in milliseconds. */
  readonly downAfterMs?: number;
}

const masterName = "mon";
const volatile: RedisDirectives = { save: '""', appendonly: "no", "repl-diskless-sync-delay": 0 };
const settleTimeoutMs = 30_000;

/** Starts a deployment and waits until it is whole: replicas in sync, sentinels agreed, all slots covered. */
export async function startDeployment(
  kind: DeploymentKind,
  { directives = {}, downAfterMs = 2000 }: DeploymentOptions = {},
): Promise<RedisDeployment> {
  const folder = mkdtempSync(path.join(tmpdir(), `mon-redis-${kind}-`));
  const all = { ...volatile, ...directives };
  const started: RedisServer[] = [];
  const stop = async (): Promise<void> => {
    await Promise.all(started.map((server) => server.stop()));
    removeFolder(folder);
  };
  const start = async (
    name: string,
    server: Omit<ConstructorParameters<typeof RedisServer>[0], "folder">,
  ) => {
    const one = new RedisServer({ ...server, folder: path.join(folder, name) });
    started.push(one);
    await one.start();
    return one;
  };
  try {
    const parts = await starters[kind](start, all, downAfterMs);
    return { kind, ...parts, stop, [Symbol.asyncDispose]: stop };
  } catch (error) {
    await stop();
    throw error;
  }
}

type Start = (
  name: string,
  server: { kind: "server" | "sentinel"; port: number; directives: RedisDirectives },
) => Promise<RedisServer>;
type Parts = Pick<RedisDeployment, "addresses" | "masterName" | "servers" | "sentinels">;

const starters: Record<
  DeploymentKind,
  (start: Start, directives: RedisDirectives, downAfterMs: number) => Promise<Parts>
> = {
  standalone: async (start, directives) => {
    const [port] = await freePorts(1);
    const server = await start("server", { kind: "server", port: port!, directives });
    return { addresses: [addressOf(server)], masterName: undefined, servers: [server], sentinels: [] };
  },

  sentinel: async (start, directives, downAfterMs) => {
    const ports = await freePorts(6);
    const [primaryPort] = ports;
    const servers: RedisServer[] = [];
    for (const [i, port] of ports.slice(0, 3).entries()) {
      const replication = i === 0 ? {} : { replicaof: `127.0.0.1 ${primaryPort}` };
      servers.push(
        await start(`server-${i}`, { kind: "server", port, directives: { ...directives, ...replication } }),
      );
    }
    await until("two replicas in sync", servers[0]!, async (redis) =>
      /connected_slaves:2[\s\S]*state=online[\s\S]*state=online/.test(await redis.info("replication")),
    );
    const sentinels: RedisServer[] = [];
    for (const [i, port] of ports.slice(3).entries()) {
      sentinels.push(
        await start(`sentinel-${i}`, {
          kind: "sentinel",
          port,
          directives: {
            "sentinel monitor": `${masterName} 127.0.0.1 ${primaryPort} 2`,
            "sentinel down-after-milliseconds": `${masterName} ${downAfterMs}`,
            "sentinel failover-timeout": `${masterName} ${downAfterMs * 5}`,
          },
        }),
      );
    }
    for (const sentinel of sentinels) {
      await until("sentinels that know each other and both replicas", sentinel, async (redis) => {
        const reply = (await redis.call("SENTINEL", "MASTER", masterName)) as string[];
        return fieldOf(reply, "num-slaves") === "2" && fieldOf(reply, "num-other-sentinels") === "2";
      });
    }
    return { addresses: sentinels.map(addressOf), masterName, servers, sentinels };
  },

  cluster: async (start, directives, downAfterMs) => {
    const ports = await freePorts(12);
    const servers: RedisServer[] = [];
    for (const [i, port] of ports.slice(0, 6).entries()) {
      const cluster = {
        "cluster-enabled": "yes",
        "cluster-config-file": "nodes.conf",
        // The default, port + 10,000, may be taken or no port at all.
        "cluster-port": ports[i + 6]!,
        "cluster-node-timeout": downAfterMs,
        "cluster-replica-validity-factor": 0,
      };
      servers.push(
        await start(`server-${i}`, { kind: "server", port, directives: { ...directives, ...cluster } }),
      );
    }
    const addresses = servers.map(addressOf);
    await promisify(execFile)("redis-cli", [
      "--cluster",
      "create",
      ...addresses,
      "--cluster-replicas",
      "1",
      "--cluster-yes",
    ]);
    for (const server of servers) {
      await until("a cluster with all slots covered", server, async (redis) => {
        const state = (await redis.call("CLUSTER", "INFO")) as string;
        const nodes = (await redis.call("CLUSTER", "NODES")) as string;
        const replication = await redis.info("replication");
        const isInSync = /role:master/.test(replication)
          ? /connected_slaves:1[\s\S]*state=online/.test(replication)
          : /master_link_status:up/.test(replication);
        // Each node learns by gossip who is a replica.
        return /cluster_state:ok/.test(state) && nodes.match(/slave /g)?.length === 3 && isInSync;
      });
    }
    return { addresses, masterName: undefined, servers, sentinels: [] };
  },
};

function addressOf({ port }: RedisServer): string {
  return `127.0.0.1:${port}`;
}

/** A value of a reply that lists names and values in turn. */
function fieldOf(reply: readonly string[], name: string): string | undefined {
  return reply[reply.indexOf(name) + 1];
}

/** Asks a server until it agrees: Redis tells nobody when a deployment has settled. */
async function until(
  what: string,
  server: RedisServer,
  holds: (redis: Redis) => Promise<boolean>,
): Promise<void> {
  const redis = new Redis({ host: "127.0.0.1", port: server.port, maxRetriesPerRequest: 0 });
  try {
    for (const endMs = performance.now() + settleTimeoutMs; performance.now() < endMs; await delay(50)) {
      if (await holds(redis)) return;
    }
  } finally {
    redis.disconnect();
  }
  throw new Error(`expected ${what} on port ${server.port} within ${settleTimeoutMs} ms`);
}
