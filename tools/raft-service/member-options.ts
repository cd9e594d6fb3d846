import { parseArgs } from "node:util";
import type { RaftNodeConfig } from "@mon/raft";
import { type Plant, plants } from "./service.ts";

/** A place to listen at, or to connect to. */
export interface Address {
  readonly host: string;
  readonly port: number;
}

/** What a member is started with. */
export interface MemberOptions {
  readonly id: string;
  /** Where members talk to each other, this one too. */
  readonly peers: ReadonlyMap<string, Address>;
  /** The first members of a new cluster. */
  readonly voters: readonly string[];
  /** Whether it waits to be added to a cluster that is there. */
  readonly joins: boolean;
  /** Where clients are served. */
  readonly listen: Address;
  readonly directory: string;
  readonly times: Pick<RaftNodeConfig, "tickMs" | "heartbeatMs" | "electionTimeoutMs" | "proposalTimeoutMs">;
  readonly snapshots: Pick<RaftNodeConfig, "snapshotEveryEntries" | "trailingEntries" | "hashEveryEntries">;
  readonly plant: Plant | undefined;
}

/** @throws {TypeError | RangeError} saying what was expected */
export function parseMemberOptions(args: readonly string[]): MemberOptions {
  const { values } = parseArgs({
    args: [...args],
    options: {
      id: { type: "string" },
      peers: { type: "string" },
      voters: { type: "string" },
      join: { type: "boolean", default: false },
      listen: { type: "string", default: "127.0.0.1:0" },
      data: { type: "string" },
      "heartbeat-ms": { type: "string", default: "100" },
      "election-ms": { type: "string", default: "1000" },
      "proposal-timeout-ms": { type: "string", default: "10000" },
      "snapshot-every": { type: "string", default: "8192" },
      trailing: { type: "string", default: "10240" },
      "hash-every": { type: "string", default: "1024" },
      plant: { type: "string" },
    },
  });
  const { data, id, listen, peers: list = "", plant } = values;
  if (id === undefined || data === undefined) throw new TypeError("expected --id, --peers and --data");
  const peers = new Map(
    list.split(",").map((pair): [string, Address] => {
      const [name = "", address = ""] = pair.split("=");
      return [name, parseAddress(address)];
    }),
  );
  if (!peers.has(id)) throw new RangeError(`expected --peers with ${id} among them, got ${list}`);
  if (plant !== undefined && !plants.some((each) => each === plant)) {
    throw new RangeError(`expected --plant of ${plants.join(" or ")}, got ${plant}`);
  }
  const heartbeatMs = Number(values["heartbeat-ms"]);
  return {
    id,
    peers,
    voters: values.voters?.split(",") ?? [...peers.keys()],
    joins: values.join,
    listen: parseAddress(listen),
    directory: data,
    times: {
      tickMs: heartbeatMs,
      heartbeatMs,
      electionTimeoutMs: Number(values["election-ms"]),
      proposalTimeoutMs: Number(values["proposal-timeout-ms"]),
    },
    snapshots: {
      snapshotEveryEntries: Number(values["snapshot-every"]),
      trailingEntries: Number(values.trailing),
      hashEveryEntries: Number(values["hash-every"]),
    },
    // Checked above.
    plant: plant as Plant | undefined,
  };
}

function parseAddress(text: string): Address {
  const [, host, port] = /^(.+):(\d+)$/.exec(text) ?? [];
  if (host === undefined) throw new RangeError(`expected an address host:port, got ${JSON.stringify(text)}`);
  return { host, port: Number(port) };
}
