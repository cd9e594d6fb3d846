import { CommandWriter } from "../wire/command-writer.ts";
import type { ServerAddress } from "../wire/link.ts";
import type { Reply } from "../wire/reply.ts";
import { infoFrom } from "./inspection.ts";
import { stateErrorIn } from "./reply-faults.ts";
import type { ServerLinks } from "./server-links.ts";
import type { ReadBatch, ReadOutcome, SlotOutcome } from "./servers.ts";
import type { Shard } from "./topology.ts";

export interface ReplicaReaderDeps {
  readonly shardOf: (slot: number) => Shard | undefined;
  readonly linksTo: (replica: ServerAddress) => ServerLinks;
  readonly readPrimary: (batches: readonly ReadBatch[]) => Promise<readonly SlotOutcome[]>;
}

const info = new CommandWriter().begin(2).text("INFO").text("replication").take();

/** Reads from replicas in turn, and from the primary when none answers. Each answer says how old it may be. */
export class ReplicaReader {
  readonly #deps: ReplicaReaderDeps;
  #turn = 0;

  constructor(deps: ReplicaReaderDeps) {
    this.#deps = deps;
  }

  async read(batches: readonly ReadBatch[]): Promise<ReadOutcome[]> {
    const outcomes = new Array<ReadOutcome>(batches.length);
    const shards = new Map<Shard | undefined, number[]>();
    for (const [i, { slot }] of batches.entries()) {
      const shard = this.#deps.shardOf(slot);
      const indices = shards.get(shard);
      if (indices === undefined) shards.set(shard, [i]);
      else indices.push(i);
    }
    await Promise.all(
      Array.from(shards, async ([shard, indices]) => {
        const answers = await this.#readShard(
          shard,
          indices.map((i) => batches[i]!),
        );
        for (const [nth, i] of indices.entries()) outcomes[i] = answers[nth]!;
      }),
    );
    return outcomes;
  }

  async #readShard(shard: Shard | undefined, batches: readonly ReadBatch[]): Promise<ReadOutcome[]> {
    const replicas = shard?.replicas ?? [];
    const turn = this.#turn++;
    for (let i = 0; i < replicas.length; i++) {
      const answers = await this.#ask(replicas[(turn + i) % replicas.length]!, batches);
      if (answers !== undefined) return answers;
    }
    const outcomes = await this.#deps.readPrimary(batches);
    return outcomes.map((outcome) =>
      outcome.error === undefined ? { replies: outcome.replies, ageMs: 0 } : outcome,
    );
  }

  /** @returns undefined when this replica cannot answer all of it, or does not know how old it is */
  async #ask(replica: ServerAddress, batches: readonly ReadBatch[]): Promise<ReadOutcome[] | undefined> {
    const links = this.#deps.linksTo(replica);
    const lane = links.laneOf(batches[0]!.slot);
    await lane.attempt;
    const commands = Buffer.concat([...batches.map((batch) => batch.commands), info]);
    const count = batches.reduce((sum, batch) => sum + batch.count, 1);
    let replies: readonly Reply[];
    try {
      replies = (await links.exchange(lane, commands, count)).replies;
    } catch {
      // Another answers; use and breaker show that this one does not.
      return undefined;
    }
    const stateError = stateErrorIn(replies, 0, replies.length);
    const ageMs = ageFrom(replies.at(-1)!);
    if (stateError !== undefined || ageMs === undefined) return undefined;
    let at = 0;
    return batches.map(({ count }) => {
      const own = replies.slice(at, at + count);
      at += count;
      return { replies: own, ageMs };
    });
  }
}

/** The time since a replica heard from its primary at most; undefined when it never did, or is no replica. */
function ageFrom(reply: Reply): number | undefined {
  if (!(reply instanceof Uint8Array)) return undefined;
  const fields = infoFrom(Buffer.from(reply).toString("latin1"));
  if (fields.get("role") !== "slave") return undefined;
  const isUp = fields.get("master_link_status") === "up";
  const seconds = Number(fields.get(isUp ? "master_last_io_seconds_ago" : "master_link_down_since_seconds"));
  // Redis rounds down.
  return seconds >= 0 ? (seconds + 1) * 1000 : undefined;
}
