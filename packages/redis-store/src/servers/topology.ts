import type { ServerAddress } from "../wire/link.ts";
import { slotCount } from "./servers.ts";

/** Slots in a row, both ends included. */
export type SlotRange = readonly [first: number, last: number];

/** A primary with its slots and replicas. */
export interface Shard {
  readonly primary: ServerAddress;
  readonly replicas: readonly ServerAddress[];
  readonly slots: readonly SlotRange[];
  /** Grows whenever somebody becomes primary: the same address with another epoch has been a replica in between. */
  readonly epoch: number;
}

/** Who serves what, as one server sees it. */
export interface Topology {
  /** In order of their first slots; primaries without slots are left out. */
  readonly shards: readonly Shard[];
  /** Grows with each change that was agreed on; a view of a lower one is out of date. */
  readonly epoch: number;
}

const allSlots: readonly SlotRange[] = [[0, slotCount - 1]];

/** The topology of one primary that serves everything. */
export function singleShard(
  primary: ServerAddress,
  replicas: readonly ServerAddress[],
  epoch: number,
): Topology {
  return { shards: [{ primary, replicas, slots: allSlots, epoch }], epoch };
}

/**
 * Reads the reply to CLUSTER NODES: lines of id, address, flags, primary's id, ping, pong, epoch, link state, slots.
 *
 * @param askedHost - stands for a node that does not know its own address
 * @param currentEpoch - as CLUSTER INFO has it
 * @see https://redis.io/docs/latest/commands/cluster-nodes/
 */
export function topologyFromNodes(text: string, askedHost: string, currentEpoch: number): Topology {
  const nodes = text
    .split("\n")
    .filter((line) => line !== "")
    .map((line) => nodeFromLine(line, askedHost));
  const shards: Shard[] = [];
  for (const node of nodes) {
    if (!node.flags.has("master") || node.slots.length === 0 || node.address === undefined) continue;
    const replicas = nodes.filter(
      ({ primaryId, flags, isLinked }) =>
        primaryId === node.id && isLinked && !flags.has("fail") && !flags.has("fail?"),
    );
    shards.push({
      primary: node.address,
      replicas: replicas.flatMap(({ address }) => address ?? []),
      slots: node.slots,
      epoch: node.epoch,
    });
  }
  shards.sort((a, b) => a.slots[0]![0] - b.slots[0]![0]);
  return { shards, epoch: currentEpoch };
}

interface ClusterNode {
  readonly id: string;
  readonly address: ServerAddress | undefined;
  readonly flags: ReadonlySet<string>;
  readonly primaryId: string;
  readonly epoch: number;
  readonly isLinked: boolean;
  readonly slots: readonly SlotRange[];
}

function nodeFromLine(line: string, askedHost: string): ClusterNode {
  const [id = "", endpoint = "", flags = "", primaryId = "", , , epoch = "0", linkState = "", ...slots] =
    line.split(" ");
  // 127.0.0.1:30001@31001,hostname
  const [, host = "", port = ""] = /^(.*):(\d+)(?:@.*)?$/.exec(endpoint) ?? [];
  const flagSet = new Set(flags.split(","));
  const isMyself = flagSet.has("myself");
  const isKnown = port !== "" && port !== "0" && (host !== "" || isMyself) && !flagSet.has("noaddr");
  return {
    id,
    address: isKnown ? { host: host === "" ? askedHost : host, port: Number(port) } : undefined,
    flags: flagSet,
    primaryId,
    epoch: Number(epoch),
    isLinked: isMyself || linkState === "connected",
    // What is on its way is in brackets and listed besides.
    slots: slots
      .filter((slot) => !slot.startsWith("["))
      .map(rangeFrom)
      .sort((a, b) => a[0] - b[0]),
  };
}

function rangeFrom(text: string): SlotRange {
  const [first, last = first] = text.split("-");
  return [Number(first), Number(last)];
}
