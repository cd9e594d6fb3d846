import type { Endpoint, ResolvedServersOptions } from "../options.ts";
import type { ServerAddress } from "../wire/link.ts";
import { ask, SentinelWatch } from "./administration.ts";
import { assertMode, assertPrimary, infoFrom } from "./inspection.ts";
import { ServerError } from "./server-error.ts";
import { nameOf } from "./server-links.ts";
import { singleShard, type Topology, topologyFromNodes } from "./topology.ts";

/** Where it is learnt who serves what. */
export interface TopologySource {
  /**
   * Asks several servers at once, and takes the first good answer.
   *
   * @throws {ServerError} STORE_UNUSABLE when it is another kind of deployment, STORE_UNAVAILABLE when nobody knows
   */
  discover(): Promise<Topology>;
  close(): void;
}

/** @param onHint - something has changed, and it is worth asking */
export function createTopologySource(options: ResolvedServersOptions, onHint: () => void): TopologySource {
  const { endpoint } = options;
  switch (endpoint.deployment) {
    case "standalone":
      return { discover: () => standaloneTopology(endpoint.address, options), close: () => {} };
    case "sentinel":
      return sentinelSource(endpoint, options, onHint);
    case "cluster":
      return clusterSource(endpoint.nodes, options);
  }
}

async function standaloneTopology(
  address: ServerAddress,
  options: ResolvedServersOptions,
): Promise<Topology> {
  const info = await ask(address, "server", options, async (redis) => infoFrom(await redis.info()));
  assertMode(address, info, "standalone");
  assertPrimary(address, info);
  return singleShard(address, [], 0);
}

function sentinelSource(
  { sentinels, masterName }: Endpoint & { deployment: "sentinel" },
  options: ResolvedServersOptions,
  onHint: () => void,
): TopologySource {
  const watch = new SentinelWatch(sentinels, masterName, options, onHint);
  return {
    discover: () => firstOf(sentinels, (address) => sentinelTopology(address, masterName, options)),
    close: () => watch.close(),
  };
}

async function sentinelTopology(
  sentinel: ServerAddress,
  masterName: string,
  options: ResolvedServersOptions,
): Promise<Topology> {
  const [master, replicas] = await ask(sentinel, "sentinel", options, async (redis) => {
    assertMode(sentinel, infoFrom(await redis.info()), "sentinel");
    // Lists of names and values in turn; the types know no reply to SENTINEL.
    const primary = (await redis.call("SENTINEL", "MASTER", masterName)) as string[];
    const others = (await redis.call("SENTINEL", "REPLICAS", masterName)) as string[][];
    return [recordFrom(primary), others.map(recordFrom)] as const;
  });
  const primary = addressFrom(master);
  // Sentinels may not know yet that their primary is one no more, or only again.
  const info = await ask(primary, "server", options, async (redis) => infoFrom(await redis.info()));
  assertMode(primary, info, "standalone");
  if (info.get("role") === "slave") {
    const facts = { fault: "unserved", isRetryable: true, isInDoubt: false, retryDelayMs: 500 } as const;
    throw new ServerError(
      "STORE_UNAVAILABLE",
      `redis at ${nameOf(primary)}: expected the primary that sentinel ${nameOf(sentinel)} names, got a replica`,
      facts,
    );
  }
  const online = replicas.filter(({ flags = "" }) => !/down|disconnected/.test(flags));
  return singleShard(primary, online.map(addressFrom), Number(master["config-epoch"] ?? 0));
}

function clusterSource(seeds: readonly ServerAddress[], options: ResolvedServersOptions): TopologySource {
  let known: readonly ServerAddress[] = [];
  return {
    discover: async () => {
      const topology = await firstOf(distinct([...known, ...seeds]).slice(0, askedMax), (address) =>
        clusterTopology(address, options),
      );
      known = topology.shards.flatMap(({ primary, replicas }) => [primary, ...replicas]);
      return topology;
    },
    close: () => {},
  };
}

/** Nodes that are asked at once: in a large cluster some are enough. */
const askedMax = 16;

async function clusterTopology(address: ServerAddress, options: ResolvedServersOptions): Promise<Topology> {
  return await ask(address, "server", options, async (redis) => {
    assertMode(address, infoFrom(await redis.info()), "cluster");
    const info = infoFrom(String(await redis.call("CLUSTER", "INFO")));
    const nodes = String(await redis.call("CLUSTER", "NODES"));
    const topology = topologyFromNodes(nodes, address.host, Number(info.get("cluster_current_epoch")));
    // A node that is cut off from the others knows it, and knows nothing better.
    if (info.get("cluster_state") === "ok" || topology.shards.length > 0) return topology;
    const facts = { fault: "unserved", isRetryable: true, isInDoubt: false, retryDelayMs: 500 } as const;
    throw new ServerError(
      "STORE_UNAVAILABLE",
      `redis at ${nameOf(address)}: expected a cluster with slots, got state ${info.get("cluster_state")}`,
      facts,
    );
  });
}

/**
 * The first answer that is any good.
 *
 * @throws {ServerError} a mismatch when there was one, else the first failure
 */
async function firstOf(
  addresses: readonly ServerAddress[],
  question: (address: ServerAddress) => Promise<Topology>,
): Promise<Topology> {
  try {
    return await Promise.any(addresses.map(question));
  } catch (error) {
    // `ask` throws nothing else, and Promise.any collects.
    const errors = (error as AggregateError).errors as ServerError[];
    throw errors.find(({ isRetryable }) => !isRetryable) ?? errors[0]!;
  }
}

function distinct(addresses: readonly ServerAddress[]): ServerAddress[] {
  return [...new Map(addresses.map((address) => [nameOf(address), address])).values()];
}

function recordFrom(reply: readonly string[]): Record<string, string> {
  const record: Record<string, string> = {};
  for (let i = 0; i + 1 < reply.length; i += 2) record[reply[i]!] = reply[i + 1]!;
  return record;
}

function addressFrom({ ip = "", port = "" }: Record<string, string>): ServerAddress {
  return { host: ip, port: Number(port) };
}
