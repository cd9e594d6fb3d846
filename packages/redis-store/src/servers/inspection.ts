import type { Redis } from "ioredis";
import type { ServerAddress } from "../wire/link.ts";
import type { ServerFacts } from "./facts.ts";
import { ServerError } from "./server-error.ts";
import { nameOf } from "./server-links.ts";

/** The oldest server that has all that is used. */
const versionMin = [6, 2] as const;

/** The fields of an INFO reply. */
export type Info = ReadonlyMap<string, string>;

export function infoFrom(text: string): Info {
  const lines = text.split("\r\n").filter((line) => line.includes(":"));
  return new Map(
    lines.map((line) => {
      const colon = line.indexOf(":");
      return [line.slice(0, colon), line.slice(colon + 1)];
    }),
  );
}

/** What kind of server it says it is, in the words of the configuration. */
const modes: Readonly<Record<string, string>> = {
  standalone: "a server of its own",
  sentinel: "a sentinel",
  cluster: "a node of a cluster",
};

/** The `redis_mode` that a server must have for each kind of deployment. */
export type Mode = "standalone" | "sentinel" | "cluster";

/**
 * Checks that a server is of the kind that the configuration takes it for, and new enough.
 *
 * @throws {ServerError} STORE_UNUSABLE, naming what was expected and what came
 */
export function assertMode(address: ServerAddress, info: Info, expected: Mode): void {
  const mode = info.get("redis_mode") ?? "standalone";
  if (mode !== expected) {
    const hint = { standalone: "url", sentinel: "sentinels and masterName", cluster: "cluster" }[mode];
    throw mismatch(
      address,
      `expected ${modes[expected]}, got ${modes[mode] ?? mode}; that is configured as ${hint ?? "nothing known"}`,
    );
  }
  const version = info.get("redis_version") ?? "0";
  const [major = 0, minor = 0] = version.split(".").map(Number);
  if (major < versionMin[0] || (major === versionMin[0] && minor < versionMin[1]))
    throw mismatch(address, `expected version ${versionMin.join(".")} or later, got ${version}`);
}

/** @throws {ServerError} STORE_UNUSABLE for a replica, naming its primary */
export function assertPrimary(address: ServerAddress, info: Info): void {
  if (info.get("role") !== "slave") return;
  const primary = `${info.get("master_host")}:${info.get("master_port")}`;
  throw mismatch(address, `expected a primary, got a replica of ${primary}`);
}

function mismatch(address: ServerAddress, message: string): ServerError {
  const facts = { fault: "mismatch", isRetryable: false, isInDoubt: false } as const;
  return new ServerError("STORE_UNUSABLE", `redis at ${nameOf(address)}: ${message}`, facts);
}

/** What a primary says of itself; what its user may not ask is undefined. */
export async function factsOf(redis: Redis, address: ServerAddress): Promise<ServerFacts> {
  const info = infoFrom(await redis.info());
  const setting = async (name: string): Promise<string | undefined> => {
    try {
      // The types know no reply to CONFIG GET.
      const [, value] = (await redis.config("GET", name)) as string[];
      return value;
    } catch {
      // Managed servers, and users with few rights, have no CONFIG; what INFO says must do.
      return undefined;
    }
  };
  const [appendFsync, save, minReplicas] = await Promise.all([
    setting("appendfsync"),
    setting("save"),
    setting("min-replicas-to-write"),
  ]);
  const replicas = [...info].filter(([name, value]) => /^slave\d+$/.test(name) && /state=online/.test(value));
  return {
    address,
    name: nameOf(address),
    version: info.get("redis_version") ?? "",
    replicas: replicas.length,
    appendOnly: info.get("aof_enabled") === "1",
    appendFsync: appendFsync as ServerFacts["appendFsync"],
    save,
    maxMemoryBytes: Number(info.get("maxmemory") ?? 0),
    evictionPolicy: info.get("maxmemory_policy") ?? "unknown",
    minReplicasToWrite: minReplicas === undefined ? undefined : Number(minReplicas),
  };
}
