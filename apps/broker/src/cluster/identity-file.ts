import { randomBytes, randomUUID } from "node:crypto";
import { closeSync, existsSync, fsyncSync, openSync, readFileSync, renameSync, writeFileSync } from "node:fs";
import { join, resolve } from "node:path";
import type { BrokerConfig } from "@mon/config";
import { z } from "zod";
import { makeDirectory } from "../make-directory.ts";
import { ClusterStartError } from "./cluster-start-error.ts";

/** Who a broker is in its cluster. Kept in its data directory, and lost with it. */
export interface ClusterIdentity {
  readonly nodeId: string;
  /** Drawn with the data directory: tells a broker from one that lost its disk. */
  readonly incarnation: string;
  /** Empty until it is known. */
  readonly clusterId: string;
  /**
   * - `forming`: it makes a cluster, and may have begun;
   * - `joining`: it asks to become a member, and may be one;
   * - `member`: it has a log of the cluster.
   */
  readonly stage: "forming" | "joining" | "member";
  /** Peer doors of the members, by node id, as they were known last. */
  readonly peers: Readonly<Record<string, string>>;
}

const schema: z.ZodType<ClusterIdentity & { version: number }> = z.object({
  version: z.literal(1),
  nodeId: z.string().min(1),
  incarnation: z.string().min(1),
  clusterId: z.string(),
  stage: z.enum(["forming", "joining", "member"]),
  peers: z.record(z.string(), z.string()),
});

/** The file of an identity, replaced whole each time. */
export class IdentityFile {
  readonly #path: string;
  #identity: ClusterIdentity;

  private constructor(path: string, identity: ClusterIdentity) {
    this.#path = path;
    this.#identity = identity;
  }

  /**
   * Reads who a broker is, or makes it somebody when it is told to form or to join a cluster.
   *
   * @returns undefined for a broker that is alone
   * @throws {ClusterStartError} when what it is told does not go with who it is
   */
  static open({ dataDir, nodeId, cluster }: BrokerConfig): IdentityFile | undefined {
    const path = join(resolve(dataDir), "identity.json");
    const known = read(path);
    const isLogThere = existsSync(raftDirectory(dataDir));
    if (known !== undefined) {
      assertFits(known, { dataDir, nodeId, cluster }, isLogThere);
      return new IdentityFile(path, known);
    }
    if (!cluster.bootstrap && cluster.join === undefined && !isLogThere) return undefined;
    if (isLogThere) {
      const reason = `expected ${path}, which goes with the cluster's log in ${raftDirectory(dataDir)}, got none: ${wayOut(nodeId)}`;
      throw new ClusterStartError("data", reason);
    }
    const identity: ClusterIdentity = {
      nodeId,
      incarnation: randomBytes(8).toString("hex"),
      clusterId: cluster.bootstrap ? randomUUID() : "",
      stage: cluster.bootstrap ? "forming" : "joining",
      peers: {},
    };
    const file = new IdentityFile(path, identity);
    file.update({});
    return file;
  }

  get identity(): ClusterIdentity {
    return this.#identity;
  }

  /** Changes it; it is on disk when this returns. @throws {ClusterStartError} when it cannot be written */
  update(change: Partial<ClusterIdentity>): void {
    this.#identity = { ...this.#identity, ...change };
    const directory = resolve(this.#path, "..");
    const next = `${this.#path}.next`;
    try {
      makeDirectory(directory);
      writeFileSync(next, `${JSON.stringify({ version: 1, ...this.#identity }, undefined, 2)}\n`, {
        flush: true,
      });
      renameSync(next, this.#path);
      const handle = openSync(directory, "r");
      fsyncSync(handle);
      closeSync(handle);
    } catch (cause) {
      const reason = `expected a data directory that can be written, got ${directory}: ${reasonOf(cause)}`;
      throw new ClusterStartError("data", reason, { cause });
    }
  }
}

/** Where the cluster's log is. */
export function raftDirectory(dataDir: string): string {
  return join(resolve(dataDir), "raft");
}

function read(path: string): ClusterIdentity | undefined {
  if (!existsSync(path)) return undefined;
  try {
    const { version: _, ...identity } = schema.parse(JSON.parse(readFileSync(path, "utf8")));
    return identity;
  } catch (cause) {
    throw new ClusterStartError(
      "data",
      `expected who this broker is in ${path}, got what cannot be read: ${reasonOf(cause)}`,
      { cause },
    );
  }
}

function assertFits(
  { nodeId, clusterId, stage }: ClusterIdentity,
  wanted: Pick<BrokerConfig, "cluster" | "dataDir" | "nodeId">,
  isLogThere: boolean,
): void {
  const { cluster, dataDir } = wanted;
  if (wanted.nodeId !== nodeId) {
    throw new ClusterStartError(
      "configuration",
      `nodeId: expected ${nodeId}, whose data directory ${dataDir} is, got ${wanted.nodeId}: ` +
        `start it as ${nodeId}, or ${wanted.nodeId} with a data directory of its own`,
    );
  }
  if (stage === "member" && cluster.bootstrap) {
    throw new ClusterStartError(
      "configuration",
      `cluster.bootstrap: expected a broker without a cluster, got one of ${clusterId}: start it without --bootstrap, ` +
        "or, to form another cluster, with an empty data directory",
    );
  }
  const other = stage === "forming" ? cluster.join !== undefined : stage === "joining" && cluster.bootstrap;
  if (other) {
    throw new ClusterStartError(
      "configuration",
      `cluster: expected --${stage === "forming" ? "bootstrap" : "join"}, with which ${nodeId} was started before, got the other: ` +
        "go on with it, or give the broker an empty data directory",
    );
  }
  if (stage === "joining" && cluster.join === undefined) {
    throw new ClusterStartError(
      "configuration",
      `cluster.join: expected the brokers that ${nodeId} is to join, which it has not done yet`,
    );
  }
  if (stage === "member" && !isLogThere) {
    throw new ClusterStartError(
      "data",
      `expected the cluster's log in ${raftDirectory(dataDir)}, got none: ${wayOut(nodeId)}`,
    );
  }
}

function wayOut(nodeId: string): string {
  return `bring it back, or remove ${nodeId} from the cluster (monctl cluster remove ${nodeId}) and let it join with an empty data directory`;
}

function reasonOf(cause: unknown): string {
  return cause instanceof Error ? cause.message : String(cause);
}
