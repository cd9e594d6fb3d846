import { blockMs, decodeSamples, type TrimResult } from "@mon/store";
import { instantAt, putInstant } from "../keys/fragment-field.ts";
import { HostBuckets } from "../keys/host-buckets.ts";
import { dayStart, type KeySpace } from "../keys/key-space.ts";
import { seriesEntry } from "../keys/series-entry.ts";
import { ask, bytesOf, numberOf, textOf } from "../read/ask.ts";
import { readHostRecord } from "../read/host-record.ts";
import type { Mirror } from "../read/mirror.ts";
import type { Servers } from "../servers/servers.ts";
import { slotOf } from "../servers/slot.ts";
import { CommandWriter } from "../wire/command-writer.ts";
import type { HostBooks } from "../write/host-books.ts";
import type { Registry } from "../write/registry.ts";
import { trimBucketsScript, trimHostScript } from "../write/scripts.ts";

/** What trimming needs. */
export interface TrimDeps {
  readonly servers: Servers;
  readonly keys: KeySpace;
  readonly mirror: Mirror;
  readonly registry: Registry;
  readonly books: HostBooks;
  readonly now: () => number;
}

/** Hosts looked at in one round trip. */
const hostsPerPage = 256;
/** Buckets removed in one call: their keys are arguments of a script. */
const bucketsPerCall = 1_000;
/** How often a host that is written to meanwhile is looked at again. */
const attemptsMax = 8;

/** A host as trimming sees it. */
interface HostView {
  readonly hostId: string;
  readonly change: number;
}

/**
 * Removes blocks that ended at or before an instant, and series and hosts whose newest sample is older. Each host is
 * compared with what was read of it in the script that forgets its series, so that nothing that came meanwhile is lost.
 */
export class Trimmer {
  readonly #deps: TrimDeps;

  constructor(deps: TrimDeps) {
    this.#deps = deps;
  }

  /** @throws {StoreError} STORE_UNAVAILABLE; what was removed by then stays removed */
  async trim(beforeMs: number): Promise<TrimResult> {
    const { mirror } = this.#deps;
    await mirror.refresh();
    const hosts = [...mirror.registered()];
    let hostsRemoved = 0;
    let seriesRemoved = 0;
    for (let begin = 0; begin < hosts.length; begin += hostsPerPage) {
      const page = hosts.slice(begin, begin + hostsPerPage);
      await this.#trimBlocks(page, beforeMs);
      const removed = await this.#trimSeries(page, beforeMs);
      hostsRemoved += removed.hosts;
      seriesRemoved += removed.series;
    }
    await mirror.refresh();
    return { beforeMs, hostsRemoved, seriesRemoved };
  }

  async #trimBlocks(page: readonly HostView[], beforeMs: number): Promise<void> {
    const { servers, keys } = this.#deps;
    const replies = await ask(
      servers,
      page.map(({ hostId }) => ({
        slot: slotOf(hostId),
        encode: (commands) =>
          commands.begin(4).text("ZRANGEBYSCORE").text(keys.index(hostId)).text("-inf").text(`(${beforeMs}`),
      })),
    );
    for (const [i, { hostId }] of page.entries()) {
      const buckets = new HostBuckets(hostId, 1);
      const starts = bytesOf(replies[i]![0])
        .map((member) => Number(textOf(member)))
        .filter((start) => buckets.blockOf(start) + blockMs <= beforeMs);
      if (starts.length > 0)
        await this.#removeBlocks(hostId, starts, new Set(starts.map((start) => buckets.blockOf(start))));
    }
  }

  /** Chunks first, then buckets with their places in the index: what is in the index is looked at again. */
  async #removeBlocks(hostId: string, starts: readonly number[], blocks: ReadonlySet<number>): Promise<void> {
    await removeChunks(this.#deps, hostId, blocks);
    const { servers, keys } = this.#deps;
    for (let begin = 0; begin < starts.length; begin += bucketsPerCall) {
      const page = starts.slice(begin, begin + bucketsPerCall);
      const commands = new CommandWriter();
      commands
        .begin(5 + 2 * page.length)
        .text("EVALSHA")
        .text(trimBucketsScript.sha)
        .integer(2 + page.length)
        .text(keys.index(hostId))
        .text(keys.unpacked(hostId));
      for (const start of page) commands.text(keys.metrics(hostId, start));
      for (const start of page) commands.integer(start);
      const [outcome] = await servers.send([{ slot: slotOf(hostId), commands: commands.take(), count: 1 }]);
      if (outcome!.error !== undefined) throw outcome!.error;
    }
  }

  async #trimSeries(page: readonly HostView[], beforeMs: number): Promise<{ hosts: number; series: number }> {
    const removed = { hosts: 0, series: 0 };
    const changed: string[] = [];
    const gone: HostView[] = [];
    for (let left = page, attempt = 0; left.length > 0 && attempt < attemptsMax; attempt++) {
      const again: HostView[] = [];
      const states = await this.#statesOf(left);
      for (const [i, host] of left.entries()) {
        const state = states[i]!;
        const done = await this.#trimHost(host.hostId, state, beforeMs);
        if (done === undefined) {
          again.push(host);
          continue;
        }
        removed.series += done.series;
        if (done.isGone) removed.hosts++;
        if (done.series > 0 && !done.isGone) changed.push(host.hostId);
        // Data may outlive the series, in a block that is not over: the registry leads to it.
        if (state.buckets === 0 && (done.isGone || state.record.version === "")) gone.push(host);
        else if (done.isGone) changed.push(host.hostId);
      }
      left = again;
    }
    await this.#deps.registry.registerHosts(changed);
    await this.#deps.registry.unregister(gone);
    return removed;
  }

  async #statesOf(page: readonly HostView[]): Promise<HostState[]> {
    const { servers, keys } = this.#deps;
    const replies = await ask(
      servers,
      page.map(({ hostId }) => ({
        slot: slotOf(hostId),
        encode: (commands) =>
          commands
            .begin(2)
            .text("HGETALL")
            .text(keys.host(hostId))
            .begin(2)
            .text("HKEYS")
            .text(keys.series(hostId))
            .begin(2)
            .text("ZCARD")
            .text(keys.index(hostId)),
      })),
    );
    return replies.map(([host, series, buckets]) => ({
      record: readHostRecord(bytesOf(host)),
      seriesIds: bytesOf(series).map((id) => textOf(id)!),
      buckets: numberOf(buckets),
    }));
  }

  /** @returns undefined when the host has changed meanwhile */
  async #trimHost(
    hostId: string,
    { record, seriesIds }: HostState,
    beforeMs: number,
  ): Promise<{ series: number; isGone: boolean } | undefined> {
    const { statements, version } = record;
    const stale = statements.filter(({ timestampMs }) => timestampMs < beforeMs);
    if (version === "" || stale.length === 0 || seriesIds.length === 0) return { series: 0, isGone: false };
    const fresh = new Set<string>();
    for (const { timestampMs, bytes } of statements) {
      if (timestampMs < beforeMs) continue;
      for (const sample of decodeSamples(bytes)) fresh.add(seriesEntry(sample).id);
    }
    const staleIds = seriesIds.filter((id) => !fresh.has(id));
    const isGone = staleIds.length === seriesIds.length;
    const nextVersion = Math.max(Number(version) + 1, Math.floor(this.#deps.now()) * 1_000);
    const { servers, keys } = this.#deps;
    const commands = new CommandWriter();
    commands
      .begin(9 + 2 * statements.length + stale.length + staleIds.length)
      .text("EVALSHA")
      .text(trimHostScript.sha)
      .text("2")
      .text(keys.host(hostId))
      .text(keys.series(hostId))
      .text(version)
      .text(isGone ? "" : String(nextVersion))
      .integer(statements.length);
    for (const { field, timestampMs } of statements) {
      putInstant(instant, 0, timestampMs);
      commands.bytes(field).bytes(instant);
    }
    commands.integer(stale.length);
    for (const { field } of stale) commands.bytes(field);
    for (const id of staleIds) commands.text(id);
    const [outcome] = await servers.send([{ slot: slotOf(hostId), commands: commands.take(), count: 1 }]);
    if (outcome!.error !== undefined) throw outcome!.error;
    this.#deps.books.drop(hostId);
    return outcome!.replies[0] === 1 ? { series: staleIds.length, isGone } : undefined;
  }
}

const instant = Buffer.alloc(8);

/** What Redis has of a host besides its data. */
interface HostState {
  readonly record: ReturnType<typeof readHostRecord>;
  readonly seriesIds: readonly string[];
  /** Buckets in its index. */
  readonly buckets: number;
}

/** Removes the chunks of some blocks of a host. */
async function removeChunks(
  { servers, keys }: Pick<TrimDeps, "servers" | "keys">,
  hostId: string,
  blocks: ReadonlySet<number>,
): Promise<void> {
  const slot = slotOf(hostId);
  const days = [...new Set([...blocks].map(dayStart))];
  const hashes = days.flatMap((day) => [keys.chunks(hostId, day), keys.columns(hostId, day)]);
  const replies = await ask(
    servers,
    hashes.map((key) => ({ slot, encode: (commands) => commands.begin(2).text("HKEYS").text(key) })),
  );
  const commands = new CommandWriter();
  for (const [i, key] of hashes.entries()) {
    const fields = bytesOf(replies[i]![0]).filter(
      (field) => field.length >= 16 && blocks.has(instantAt(field, 0)),
    );
    if (fields.length === 0) continue;
    commands
      .begin(2 + fields.length)
      .text("HDEL")
      .text(key);
    for (const field of fields) commands.bytes(field);
  }
  const count = commands.commands;
  if (count === 0) return;
  const [outcome] = await servers.send([{ slot, commands: commands.take(), count }]);
  if (outcome!.error !== undefined) throw outcome!.error;
}
