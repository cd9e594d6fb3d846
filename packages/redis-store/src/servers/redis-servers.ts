import { EventEmitter } from "node:events";
import { type ResolvedServersOptions, resolveServersOptions, type ServersOptions } from "../options.ts";
import { CommandWriter } from "../wire/command-writer.ts";
import type { Link, LinkOptions, ServerAddress } from "../wire/link.ts";
import { type Reply, ReplyError } from "../wire/reply.ts";
import { ask } from "./administration.ts";
import { Dispatcher } from "./dispatcher.ts";
import type { ServerFacts } from "./facts.ts";
import { factsOf } from "./inspection.ts";
import { ReplicaReader } from "./replica-reader.ts";
import type { Script } from "./script.ts";
import { ServerError } from "./server-error.ts";
import { nameOf, ServerLinks } from "./server-links.ts";
import {
  type CallOptions,
  type Primary,
  type ReadBatch,
  type ReadOutcome,
  type Servers,
  type ServersEvents,
  type ServerUse,
  type SlotBatch,
  type SlotOutcome,
  slotCount,
} from "./servers.ts";
import { tagOf } from "./slot.ts";
import type { Shard, Topology } from "./topology.ts";
import { TopologyKeeper } from "./topology-keeper.ts";
import { createTopologySource } from "./topology-source.ts";

/** What comes by hand. */
export interface ServersDeps {
  /** Given to every server before anything else is sent to it, and again when it has forgotten them. */
  readonly scripts?: readonly Script[];
  /** From 0 to less than 1; varies the waits. */
  readonly random?: () => number;
}

/**
 * Finds the servers, checks that they are what the options say, and connects to every primary.
 *
 * @throws {RangeError | TypeError} an option that cannot be
 * @throws {ServerError} STORE_UNUSABLE: another kind of deployment, too old, the password is wrong; STORE_UNAVAILABLE:
 * nobody answers
 */
export async function openServers(options: ServersOptions, deps: ServersDeps = {}): Promise<Servers> {
  const servers = new RedisServers(resolveServersOptions(options), deps);
  try {
    await servers.start();
  } catch (error) {
    await servers.close();
    throw error;
  }
  return servers;
}

/** Questions about topology, at most so often however many hints there are. */
const hintGapMs = 200;
const answerTimeoutMs = 1000;

class RedisServers implements Servers {
  readonly deployment: Servers["deployment"];
  readonly #options: ResolvedServersOptions;
  readonly #scripts: readonly Script[];
  readonly #random: () => number;
  readonly #events = new EventEmitter<ServersEvents>();
  readonly #keeper: TopologyKeeper;
  readonly #writer: Dispatcher;
  readonly #reader: Dispatcher;
  readonly #replicaReader: ReplicaReader;
  /** The links to each primary, by name. */
  readonly #writeLinks = new Map<string, ServerLinks>();
  readonly #readLinks = new Map<string, ServerLinks>();
  readonly #replicaLinks = new Map<string, ServerLinks>();
  /** Who serves each slot. */
  readonly #owners = new Array<ServerAddress | undefined>(slotCount).fill(undefined);
  readonly #writeOwners = new Array<ServerLinks | undefined>(slotCount).fill(undefined);
  #shards: readonly Shard[] = [];
  #primaries: readonly Primary[] = [];
  #facts: readonly ServerFacts[] = [];
  #factsTimer: NodeJS.Timeout | undefined;
  #incarnations = 0;
  #isClosed = false;

  constructor(options: ResolvedServersOptions, { scripts = [], random = Math.random }: ServersDeps) {
    this.#options = options;
    this.#scripts = scripts;
    this.#random = random;
    this.deployment = options.endpoint.deployment;
    const hint = (): void => {
      // The address of a single server is all there is to know.
      if (this.deployment !== "standalone") this.#keeper.hint();
    };
    const source = createTopologySource(options, hint);
    const { refreshIntervalMs } = options;
    const times = { refreshIntervalMs, hintGapMs, answerTimeoutMs };
    this.#keeper = new TopologyKeeper(source, times, (topology) => this.#apply(topology));
    const deps = {
      onMoved: (slot: number, address: ServerAddress) => this.#move(slot, address),
      onStale: hint,
      onDemoted: ({ name }: ServerLinks) => {
        // Whoever moves a name from one server to another leaves connections to the old one as they are.
        if (this.deployment !== "standalone") return;
        this.#writeLinks.get(name)?.renew();
        this.#readLinks.get(name)?.renew();
      },
      loadScripts: (server: ServerLinks, lane: Parameters<ServerLinks["exchange"]>[0]) =>
        this.#loadScripts(server, lane),
    };
    this.#writer = new Dispatcher(options, {
      ...deps,
      ownerOf: (slot) => this.#writeOwners[slot],
      serverAt: (address) => this.#linksTo(this.#writeLinks, address, "write"),
    });
    this.#reader = new Dispatcher(options, {
      ...deps,
      ownerOf: (slot) => {
        const address = this.#owners[slot];
        return address && this.#linksTo(this.#readLinks, address, "read");
      },
      serverAt: (address) => this.#linksTo(this.#readLinks, address, "read"),
    });
    this.#replicaReader = new ReplicaReader({
      shardOf: (slot) => {
        const owner = this.#owners[slot];
        const name = owner && nameOf(owner);
        return this.#shards.find(({ primary }) => nameOf(primary) === name);
      },
      linksTo: (address) => this.#linksTo(this.#replicaLinks, address, "read", true),
      readPrimary: (batches) => this.#reader.dispatch(batches),
    });
  }

  async start(): Promise<void> {
    await this.#keeper.start();
    await Promise.all(
      Array.from([...this.#writeLinks.values(), ...this.#readLinks.values()], (links) => links.ready()),
    );
    await this.refreshFacts();
    this.#factsTimer = setInterval(() => {
      // What it said last stays until it answers again.
      this.refreshFacts().catch(() => {});
    }, this.#options.refreshIntervalMs).unref();
  }

  async send(batches: readonly SlotBatch[], { signal }: CallOptions = {}): Promise<readonly SlotOutcome[]> {
    return await this.#unlessAborted(signal, batches, () => this.#writer.dispatch(batches));
  }

  async read(
    batches: readonly ReadBatch[],
    { signal, from = "primary" }: CallOptions & { readonly from?: "primary" | "replica" } = {},
  ): Promise<readonly ReadOutcome[]> {
    return await this.#unlessAborted<ReadOutcome>(signal, batches, async () => {
      if (from === "replica") return await this.#replicaReader.read(batches);
      const outcomes = await this.#reader.dispatch(batches);
      return outcomes.map((outcome) =>
        outcome.error === undefined ? { replies: outcome.replies, ageMs: 0 } : outcome,
      );
    });
  }

  incarnation(slot: number): number {
    return this.#writeOwners[slot]?.laneOf(slot).incarnation ?? 0;
  }

  primaries(): readonly Primary[] {
    return this.#primaries;
  }

  async forEachPrimary<T>(task: (primary: Primary) => Promise<T>): Promise<T[]> {
    const results = await Promise.allSettled(this.#primaries.map(task));
    return results.map((result) => {
      if (result.status === "fulfilled") return result.value;
      throw result.reason;
    });
  }

  facts(): readonly ServerFacts[] {
    return this.#facts;
  }

  async refreshFacts(): Promise<readonly ServerFacts[]> {
    const looked = await Promise.allSettled(
      this.#primaries.map(({ address }) =>
        ask(address, "server", this.#options, (redis) => factsOf(redis, address)),
      ),
    );
    const found = looked.flatMap((one) => (one.status === "fulfilled" ? [one.value] : []));
    if (found.length === 0) {
      const failure = looked.find((one) => one.status === "rejected");
      if (failure !== undefined) throw failure.reason;
    }
    const missing = this.#facts.filter(
      ({ name }) =>
        !found.some((one) => one.name === name) && this.#primaries.some((one) => one.name === name),
    );
    this.#facts = [...found, ...missing];
    return this.#facts;
  }

  use(): readonly ServerUse[] {
    const all = [this.#writeLinks, this.#readLinks, this.#replicaLinks];
    return all.flatMap((links) => Array.from(links.values(), (one) => one.use()));
  }

  on(event: keyof ServersEvents, listener: () => void): this {
    this.#events.on(event, listener);
    return this;
  }

  off(event: keyof ServersEvents, listener: () => void): this {
    this.#events.off(event, listener);
    return this;
  }

  async close(): Promise<void> {
    this.#isClosed = true;
    this.#keeper.close();
    clearInterval(this.#factsTimer);
    for (const links of [this.#writeLinks, this.#readLinks, this.#replicaLinks]) {
      for (const one of links.values()) one.close();
      links.clear();
    }
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.close();
  }

  #apply({ shards }: Topology): void {
    const before = new Map(this.#shards.map((shard) => [nameOf(shard.primary), shard.epoch]));
    this.#shards = shards;
    this.#owners.fill(undefined);
    for (const { primary, slots, epoch } of shards) {
      const known = before.get(nameOf(primary));
      const links = this.#linksTo(this.#writeLinks, primary, "write");
      this.#linksTo(this.#readLinks, primary, "read");
      if (known !== undefined && known !== epoch) links.forget();
      for (const [first, last] of slots) this.#owners.fill(primary, first, last + 1);
    }
    const primaries = new Set(shards.map(({ primary }) => nameOf(primary)));
    // An old primary may yet answer, and an OK of it would be worth nothing.
    closeOthers(this.#writeLinks, primaries);
    closeOthers(this.#readLinks, primaries);
    closeOthers(this.#replicaLinks, new Set(shards.flatMap(({ replicas }) => replicas.map(nameOf))));
    for (let slot = 0; slot < slotCount; slot++) {
      const owner = this.#owners[slot];
      this.#writeOwners[slot] = owner && this.#writeLinks.get(nameOf(owner));
    }
    this.#primaries = shards.map((shard) => this.#primaryOf(shard));
    this.#changed();
    if (shards.some(({ primary }) => !before.has(nameOf(primary))) && before.size > 0)
      this.refreshFacts().catch(() => {});
  }

  /** A server has said where a slot is; the rest will be learnt by asking. */
  #move(slot: number, address: ServerAddress): void {
    const links = this.#linksTo(this.#writeLinks, address, "write");
    if (this.#writeOwners[slot] === links) return;
    this.#owners[slot] = address;
    this.#writeOwners[slot] = links;
    this.#changed();
  }

  #primaryOf({ primary: address, slots }: Shard): Primary {
    const name = nameOf(address);
    return {
      address,
      name,
      slots,
      tag: tagOf(slots[0]![0]),
      call: async (commands, count, { signal } = {}) => {
        const [outcome] = await this.#unlessAborted<{ replies: readonly Reply[] } | { error: ServerError }>(
          signal,
          [commands],
          async () => {
            const links = this.#linksTo(this.#readLinks, address, "read");
            return [await links.exchange(links.laneOf(slots[0]![0]), commands, count)];
          },
        );
        if ("error" in outcome!) throw outcome.error;
        return outcome!.replies;
      },
    };
  }

  #linksTo(
    all: Map<string, ServerLinks>,
    address: ServerAddress,
    purpose: "write" | "read",
    isReplica = false,
  ): ServerLinks {
    const name = nameOf(address);
    const known = all.get(name);
    if (known !== undefined) return known;
    const options = this.#options;
    const links = new ServerLinks(
      address,
      {
        ...options,
        purpose,
        connections: options.connectionsPerNode,
        link: this.#linkOptions(isReplica && this.deployment === "cluster"),
      },
      {
        prepare: async (link) => {
          if (!isReplica) await this.#prepare(link);
        },
        nextIncarnation: () => ++this.#incarnations,
        random: this.#random,
        onOpened: () => this.#changed(),
        onFailed: () => {
          if (this.deployment !== "standalone") this.#keeper.hint();
          this.#changed();
        },
      },
    );
    if (this.#isClosed) links.close();
    else all.set(name, links);
    return links;
  }

  #linkOptions(isReadOnly: boolean): LinkOptions {
    const { username, password, tls, name, database, connectTimeoutMs, commandTimeoutMs, bulkBytesMax } =
      this.#options;
    return {
      name,
      database,
      isReadOnly,
      connectTimeoutMs,
      replyTimeoutMs: commandTimeoutMs,
      bulkBytesMax,
      ...(username === undefined ? {} : { username }),
      ...(password === undefined ? {} : { password }),
      ...(tls === undefined ? {} : { tls }),
    };
  }

  /** Scripts come first; a server that refuses them for now gets them when it says that it does not know one. */
  async #prepare(link: Link): Promise<void> {
    if (this.#scripts.length > 0) await link.send(this.#scriptLoads(), this.#scripts.length);
  }

  async #loadScripts(server: ServerLinks, lane: Parameters<ServerLinks["exchange"]>[0]): Promise<void> {
    if (this.#scripts.length === 0) return;
    const { replies } = await server.exchange(lane, this.#scriptLoads(), this.#scripts.length);
    const error = replies.find((reply) => reply instanceof ReplyError);
    if (error === undefined) return;
    const facts = { fault: "unexpected", isRetryable: true, isInDoubt: false, retryDelayMs: 500 } as const;
    throw new ServerError("STORE_UNAVAILABLE", `redis at ${server.name}: ${error.message}`, facts);
  }

  #scriptLoads(): Uint8Array {
    const writer = new CommandWriter();
    for (const { source } of this.#scripts) writer.begin(3).text("SCRIPT").text("LOAD").text(source);
    return writer.take();
  }

  #changed(): void {
    if (!this.#isClosed) this.#events.emit("changed");
  }

  /** Outcomes, or an error in the place of each when the caller gives up first. */
  async #unlessAborted<T>(
    signal: AbortSignal | undefined,
    batches: readonly unknown[],
    work: () => Promise<readonly T[]>,
  ): Promise<readonly (T | { error: ServerError })[]> {
    const aborted = (isInDoubt: boolean): { error: ServerError }[] => {
      const facts = { fault: "aborted", isRetryable: true, isInDoubt } as const;
      const cause = { cause: signal?.reason };
      const error = new ServerError("STORE_UNAVAILABLE", "the caller gave up", facts, cause);
      return batches.map(() => ({ error }));
    };
    if (this.#isClosed) {
      const facts = { fault: "disconnected", isRetryable: false, isInDoubt: false } as const;
      const error = new ServerError("STORE_NOT_OPEN", "expected open servers, they were closed", facts);
      return batches.map(() => ({ error }));
    }
    if (signal === undefined) return await work();
    if (signal.aborted) return aborted(false);
    let onAbort: (() => void) | undefined;
    const given = new Promise<readonly { error: ServerError }[]>((resolve) => {
      onAbort = () => resolve(aborted(true));
      signal.addEventListener("abort", onAbort, { once: true });
    });
    try {
      return await Promise.race([work(), given]);
    } finally {
      if (onAbort !== undefined) signal.removeEventListener("abort", onAbort);
    }
  }
}

function closeOthers(all: Map<string, ServerLinks>, names: ReadonlySet<string>): void {
  for (const [name, links] of all) {
    if (names.has(name)) continue;
    links.close();
    all.delete(name);
  }
}
