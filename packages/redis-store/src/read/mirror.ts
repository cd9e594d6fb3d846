import {
  Catalogue,
  type CatalogueOptions,
  type HostState,
  type SeriesSelector,
  StoreError,
} from "@mon/store";
import { instantAt } from "../keys/fragment-field.ts";
import { type KeySpace, registryPartitions } from "../keys/key-space.ts";
import { seriesOfEntry } from "../keys/series-entry.ts";
import type { Servers } from "../servers/servers.ts";
import { slotOf } from "../servers/slot.ts";
import { ask, bytesOf, numberOf, textOf } from "./ask.ts";
import { type HostRecord, readHostRecord, type Statement } from "./host-record.ts";

/** Hosts asked about in one round trip. */
const hostsPerPage = 512;
/** How often a partition of the registry that changes while it is read is read again. */
const attemptsMax = 4;

/** What is known of a partition of the registry. */
interface Partition {
  readonly number: number;
  /** Which count of changes it is; null before it was first read. */
  epoch: string | undefined | null;
  /** The last change that has been heard of; 0 when all of it is to be read. */
  change: number;
  /** The last change of each host. */
  hosts: Map<string, number>;
}

/**
 * A copy of what Redis knows of hosts and series, for questions that a host's hash cannot answer. It is brought up to
 * date before each answer: the registry says which hosts have changed since, and only those are read again (R20).
 */
export class Mirror {
  readonly catalogue: Catalogue;
  readonly #servers: Servers;
  readonly #keys: KeySpace;
  readonly #versions = new Map<string, string>();
  readonly #partitions: readonly Partition[];
  #running: Promise<void> | undefined;
  #next: Promise<void> | undefined;

  constructor(servers: Servers, keys: KeySpace, options: CatalogueOptions) {
    this.#servers = servers;
    this.#keys = keys;
    this.catalogue = new Catalogue(options);
    this.#partitions = Array.from({ length: registryPartitions }, (_, number) => ({
      number,
      epoch: null,
      change: 0,
      hosts: new Map(),
    }));
  }

  /** Hosts in the registry, with the last change of each; some of them may have data and no series any more. */
  *registered(): Generator<{ readonly hostId: string; readonly change: number }> {
    for (const { hosts } of this.#partitions) for (const [hostId, change] of hosts) yield { hostId, change };
  }

  /**
   * Takes over what has changed until now. Those who ask while one is under way share the next.
   *
   * @throws {StoreError} STORE_UNAVAILABLE
   */
  refresh(): Promise<void> {
    if (this.#running === undefined) {
      this.#running = this.#refresh().finally(() => {
        this.#running = undefined;
      });
      return this.#running;
    }
    this.#next ??= this.#running
      .catch(() => {
        // Whoever asked for that one has heard of it.
      })
      .then(() => {
        this.#next = undefined;
        return this.refresh();
      });
    return this.#next;
  }

  async #refresh(): Promise<void> {
    let partitions = this.#partitions;
    for (let attempt = 0; partitions.length > 0; attempt++) {
      if (attempt === attemptsMax)
        throw new StoreError("STORE_UNAVAILABLE", "expected the registry of hosts to hold still for a read");
      partitions = await this.#refreshPartitions(partitions);
    }
  }

  /** @returns those that must be read again, from their beginning */
  async #refreshPartitions(partitions: readonly Partition[]): Promise<Partition[]> {
    const replies = await ask(
      this.#servers,
      partitions.map(({ number, change }) => ({
        slot: slotOf(String(number)),
        encode: (commands) =>
          commands
            .begin(3)
            .text("HGET")
            .text(this.#keys.registryLog(number))
            .text("epoch")
            .begin(5)
            .text("ZRANGEBYSCORE")
            .text(this.#keys.registry(number))
            .text(`(${change}`)
            .text("+inf")
            .text("WITHSCORES")
            .begin(2)
            .text("ZCARD")
            .text(this.#keys.registry(number)),
      })),
    );
    const again: Partition[] = [];
    const changed: string[] = [];
    for (const [i, partition] of partitions.entries()) {
      const [epochReply, changesReply, sizeReply] = replies[i]!;
      const epoch = textOf(epochReply);
      if (partition.epoch !== null && epoch !== partition.epoch) {
        // Another count of changes has begun: what the numbers said means nothing any more.
        partition.change = 0;
        for (const hostId of partition.hosts.keys()) partition.hosts.set(hostId, -1);
        again.push(partition);
      } else {
        const isWhole = partition.change === 0;
        const hosts = this.#changesOf(bytesOf(changesReply), partition, changed);
        if (isWhole) this.#forget([...partition.hosts.keys()].filter((hostId) => !hosts.has(hostId)));
        if (isWhole) partition.hosts = hosts;
        else for (const [hostId, change] of hosts) partition.hosts.set(hostId, change);
        // Fewer than there were: which ones is seen when all are read.
        if (!isWhole && partition.hosts.size !== numberOf(sizeReply)) {
          partition.change = 0;
          again.push(partition);
        }
      }
      partition.epoch = epoch;
    }
    await this.load(changed);
    return again;
  }

  /** Hosts and their changes as a reply lists them. Those with a change that is news are added to `changed`. */
  #changesOf(reply: readonly Uint8Array[], partition: Partition, changed: string[]): Map<string, number> {
    const hosts = new Map<string, number>();
    for (let at = 0; at < reply.length; at += 2) {
      const hostId = textOf(reply[at])!;
      const change = Number(textOf(reply[at + 1]));
      hosts.set(hostId, change);
      if (partition.hosts.get(hostId) !== change) changed.push(hostId);
      partition.change = Math.max(partition.change, change);
    }
    return hosts;
  }

  /** Reads hosts again that are not known in the versions given. */
  async load(hostIds: readonly string[]): Promise<void> {
    for (let begin = 0; begin < hostIds.length; begin += hostsPerPage) {
      const page = hostIds.slice(begin, begin + hostsPerPage);
      const replies = await ask(
        this.#servers,
        page.map((hostId) => ({
          slot: slotOf(hostId),
          // The version first: what changes after it is heard of again.
          encode: (commands) =>
            commands
              .begin(2)
              .text("HGETALL")
              .text(this.#keys.host(hostId))
              .begin(2)
              .text("HGETALL")
              .text(this.#keys.series(hostId)),
        })),
      );
      for (const [i, hostId] of page.entries()) {
        const [host, series] = replies[i]!;
        this.#take(hostId, readHostRecord(bytesOf(host)), bytesOf(series));
      }
    }
  }

  #take(hostId: string, record: HostRecord, series: readonly Uint8Array[]): void {
    if (record.version === "") {
      this.#forget([hostId]);
      return;
    }
    let host = this.#withSeries(hostId, series);
    if (host.series.size > series.length / 2) {
      // Some of its series are gone: begin anew.
      this.catalogue.forget([hostId]);
      host = this.#withSeries(hostId, series);
    }
    host.metadata = record.metadata;
    host.shapes.length = 0;
    host.settled.clear();
    this.#takeStatements(host, record);
    this.#versions.set(hostId, record.version);
  }

  #withSeries(hostId: string, entries: readonly Uint8Array[]): HostState {
    const host = this.catalogue.ensureHost(hostId);
    for (let i = 1; i < entries.length; i += 2) this.catalogue.addSeries(host, seriesOfEntry(entries[i]!));
    return host;
  }

  #takeStatements(host: HostState, { statements, lastSeenMs = 0 }: HostRecord): void {
    host.lastSeenMs = lastSeenMs;
    if (host.shapes.length > 2 * statements.length + 32) host.shapes.length = 0;
    for (const statement of statements) {
      if (
        !host.shapes.some(
          (shape) => shape.timestampMs >= statement.timestampMs && isEqual(shape.bytes, statement.bytes),
        )
      )
        this.#takeStatement(host, statement);
    }
  }

  #takeStatement(host: HostState, { timestampMs, bytes }: Statement): void {
    // A copy: those bytes are part of a much larger reply.
    const statement = { timestampMs, bytes: new Uint8Array(bytes) };
    if (host.shapes.some((shape) => shape.take(statement))) return;
    this.catalogue.addShape(host, timestampMs, statement.bytes);
  }

  #forget(hostIds: readonly string[]): void {
    this.catalogue.forget(hostIds);
    for (const hostId of hostIds) this.#versions.delete(hostId);
  }

  /**
   * Reads the newest values of hosts, and more of those whose series have changed.
   *
   * @returns their states, undefined for one that is not there; good until something else is awaited
   */
  async newest(hostIds: readonly string[]): Promise<readonly (HostState | undefined)[]> {
    const replies = await ask(
      this.#servers,
      hostIds.map((hostId) => ({
        slot: slotOf(hostId),
        encode: (commands) => commands.begin(2).text("HGETALL").text(this.#keys.host(hostId)),
      })),
    );
    const stale: string[] = [];
    for (const [i, hostId] of hostIds.entries()) {
      const record = readHostRecord(bytesOf(replies[i]![0]));
      const host = this.catalogue.host(hostId);
      if (record.version !== "" && host !== undefined && this.#versions.get(hostId) === record.version)
        this.#takeStatements(host, record);
      else if (record.version !== "") stale.push(hostId);
      else if (host !== undefined) this.#forget([hostId]);
    }
    if (stale.length > 0) await this.load(stale);
    return hostIds.map((hostId) => this.catalogue.host(hostId));
  }

  /** The newest instants of hosts; undefined for one that has no data. */
  async lastSeenOf(hostIds: readonly string[]): Promise<(number | undefined)[]> {
    const replies = await ask(
      this.#servers,
      hostIds.map((hostId) => ({
        slot: slotOf(hostId),
        encode: (commands) => commands.begin(3).text("HGET").text(this.#keys.host(hostId)).text("t"),
      })),
    );
    return replies.map(([instant]) => (instant instanceof Uint8Array ? instantAt(instant, 0) : undefined));
  }

  /** Brings last-seen times and newest values up to date where a range in a selector may depend on them. */
  async refreshFor({ hostIds, range }: SeriesSelector): Promise<void> {
    await this.refresh();
    if (range === undefined) return;
    const doubtful: string[] = [];
    for (const hostId of hostIds ?? this.catalogue.hostIds()) {
      const host = this.catalogue.host(hostId);
      if (host === undefined) continue;
      if (host.lastSeenMs < range.startMs || host.lastSeenBefore(range.startMs) !== undefined)
        doubtful.push(hostId);
    }
    for (let begin = 0; begin < doubtful.length; begin += hostsPerPage)
      await this.newest(doubtful.slice(begin, begin + hostsPerPage));
  }
}

function isEqual(a: Uint8Array, b: Uint8Array): boolean {
  return a.length === b.length && Buffer.compare(a, b) === 0;
}
