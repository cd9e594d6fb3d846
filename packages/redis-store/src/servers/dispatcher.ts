import { setTimeout as delay } from "node:timers/promises";
import { type CommandUnit, commandUnits } from "../wire/command-units.ts";
import { CommandWriter } from "../wire/command-writer.ts";
import type { ServerAddress } from "../wire/link.ts";
import { type Reply, ReplyError } from "../wire/reply.ts";
import type { Lane } from "./lane.ts";
import { redirectionOf, type StateError, stateErrorIn } from "./reply-faults.ts";
import { ServerError } from "./server-error.ts";
import type { ServerLinks } from "./server-links.ts";
import type { SlotBatch, SlotOutcome } from "./servers.ts";

/** What a dispatcher needs to know of servers. */
export interface DispatcherDeps {
  /** The server that serves a slot, as far as is known; undefined when nobody does. */
  readonly ownerOf: (slot: number) => ServerLinks | undefined;
  /** Links to a server that a redirection named; made when there are none. */
  readonly serverAt: (address: ServerAddress) => ServerLinks;
  /** A server has said that another serves the slot. */
  readonly onMoved: (slot: number, address: ServerAddress) => void;
  /** What is known of who serves what is out of date. */
  readonly onStale: () => void;
  /** A server that should be a primary has said that it is a replica. */
  readonly onDemoted: (server: ServerLinks) => void;
  /** Gives a server the scripts that batches call. */
  readonly loadScripts: (server: ServerLinks, lane: Lane) => Promise<void>;
}

export interface DispatcherOptions {
  /** How often a batch is sent elsewhere, or again, because servers say so. */
  readonly redirectionsMax: number;
  readonly waitTimeoutMs: number;
}

/** Batches that go out in one write, in order. */
interface Group {
  readonly server: ServerLinks;
  readonly lane: Lane;
  /** Where each stands among all that were given. */
  readonly indices: number[];
}

/** A unit that was not done and where it goes next. */
interface Pending {
  readonly unit: CommandUnit;
  readonly server: ServerLinks;
  readonly isAsking: boolean;
  readonly mustLoad: boolean;
}

const asking = new CommandWriter().begin(1).text("ASKING").take();

/** The wait before a batch is sent again to where a slot is under way: it doubles up to the second. */
const tryAgainDelayMsMin = 5;
const tryAgainDelayMsMax = 100;

/** Sends batches to who serves their slots, and follows what servers say of it. */
export class Dispatcher {
  readonly #deps: DispatcherDeps;
  readonly #options: DispatcherOptions;

  constructor(options: DispatcherOptions, deps: DispatcherDeps) {
    this.#options = options;
    this.#deps = deps;
  }

  /** One outcome for each batch, in order. Never rejects. */
  async dispatch(batches: readonly SlotBatch[]): Promise<SlotOutcome[]> {
    const outcomes = new Array<SlotOutcome>(batches.length);
    const groups = new Map<Lane, Group>();
    for (const [i, { slot }] of batches.entries()) {
      const server = this.#deps.ownerOf(slot);
      if (server === undefined) {
        this.#deps.onStale();
        outcomes[i] = { error: unserved(slot) };
        continue;
      }
      const lane = server.laneOf(slot);
      const group = groups.get(lane);
      if (group === undefined) groups.set(lane, { server, lane, indices: [i] });
      else group.indices.push(i);
    }
    await Promise.all(Array.from(groups.values(), (group) => this.#sendGroup(group, batches, outcomes)));
    return outcomes;
  }

  async #sendGroup(
    { server, lane, indices }: Group,
    batches: readonly SlotBatch[],
    outcomes: SlotOutcome[],
  ): Promise<void> {
    const members = indices.map((i) => batches[i]!);
    const copies = copiesOf(members);
    let count = copies > 1 ? 1 : 0;
    for (const batch of members) count += batch.count;
    const commands = joined(members, copies > 1 ? this.#waitFor(copies) : undefined);
    let exchange: Awaited<ReturnType<ServerLinks["exchange"]>>;
    try {
      exchange = await server.exchange(lane, commands, count);
    } catch (error) {
      // An exchange throws nothing else.
      for (const i of indices) outcomes[i] = { error: error as ServerError };
      this.#deps.onStale();
      return;
    }
    const { replies, incarnation } = exchange;
    const reached = copies > 1 ? copiesFrom(replies.at(-1)!) : 1;
    let at = 0;
    const pursuits: Promise<void>[] = [];
    for (const [nth, i] of indices.entries()) {
      const batch = members[nth]!;
      const end = at + batch.count;
      const found = stateErrorIn(replies, at, end);
      const own = replies.slice(at, end);
      at = end;
      if (found === undefined) {
        outcomes[i] = this.#answer(batch, own, reached, incarnation, server);
        continue;
      }
      pursuits.push(
        this.#pursue(batch, own, reached, server, found).then((outcome) => {
          outcomes[i] = outcome;
        }),
      );
    }
    await Promise.all(pursuits);
  }

  #answer(
    batch: SlotBatch,
    replies: readonly Reply[],
    reached: number | ReplyError,
    incarnation: number,
    server: ServerLinks,
  ): SlotOutcome {
    const { copies = 1 } = batch;
    if (copies === 1) return { replies, copies: 1, incarnation };
    if (typeof reached === "number" && reached >= copies) return { replies, copies: reached, incarnation };
    const what =
      typeof reached === "number"
        ? `expected ${copies} copies within ${this.#options.waitTimeoutMs} ms, got ${reached}`
        : reached.message;
    if (typeof reached !== "number") this.#deps.onStale();
    const facts = {
      fault: "too-few-copies",
      isRetryable: true,
      isInDoubt: true,
      retryDelayMs: 500,
    } as const;
    return { error: new ServerError("STORE_UNAVAILABLE", `redis at ${server.name}: ${what}`, facts) };
  }

  /**
   * Brings a batch to its end that a server did not do all of. Only the units that were not done go on: to send a unit
   * again that the old server of a moving slot has done would make its key at the new one, where it is not yet, and the two
   * would stand in each other's way.
   */
  async #pursue(
    batch: SlotBatch,
    firstReplies: readonly Reply[],
    firstReached: number | ReplyError,
    firstServer: ServerLinks,
    firstError: StateError,
  ): Promise<SlotOutcome> {
    const replies = [...firstReplies];
    const { slot } = batch;
    const units = commandUnits(batch.commands);
    const reached = new Map(units.map((unit) => [unit, firstReached]));
    let last = firstError;
    let sent: readonly Pending[] = units.map((unit) => ({
      unit,
      server: firstServer,
      isAsking: false,
      mustLoad: false,
    }));
    for (let round = 0; ; round++) {
      const next: Pending[] = [];
      let mustWait = false;
      for (const { unit, server, isAsking } of sent) {
        const found = stateErrorIn(replies, unit.first, unit.first + unit.count);
        if (found === undefined) continue;
        last = found;
        if (found.fault.fault === "read-only") this.#deps.onDemoted(server);
        if (found.fault.isStale) this.#deps.onStale();
        const { treatment } = found.fault;
        if (treatment !== "follow" && treatment !== "reload")
          return { error: refusal(server, found, units.length > 1) };
        if (treatment === "reload") {
          next.push({ unit, server, isAsking, mustLoad: true });
          continue;
        }
        mustWait ||= found.error.code === "TRYAGAIN" || round > 1;
        const target = this.#targetOf(found.error, slot, server);
        // A slot that nobody serves for the moment: see again who does.
        if (target === undefined) mustWait = true;
        next.push({ unit, server, isAsking, mustLoad: false, ...target });
      }
      if (next.length === 0)
        return this.#answer(batch, replies, fewest([...reached.values()]), 0, sent[0]!.server);
      if (round >= this.#options.redirectionsMax) return { error: refusal(sent[0]!.server, last, true) };
      if (mustWait) await delay(Math.min(tryAgainDelayMsMax, tryAgainDelayMsMin * 2 ** round));
      for (const group of byServer(next)) {
        const error = await this.#resend(group, batch, replies, reached);
        if (error !== undefined) return { error };
      }
      sent = next;
    }
  }

  /** Where a redirected unit goes. */
  #targetOf(
    error: ReplyError,
    slot: number,
    asked: ServerLinks,
  ): Pick<Pending, "server" | "isAsking"> | undefined {
    const redirection = redirectionOf(error, asked.address.host);
    if (redirection !== undefined) {
      const { host, port } = redirection;
      if (error.code === "MOVED") this.#deps.onMoved(slot, { host, port });
      return { server: this.#deps.serverAt({ host, port }), isAsking: error.code === "ASK" };
    }
    const owner = this.#deps.ownerOf(slot);
    return owner === undefined ? undefined : { server: owner, isAsking: false };
  }

  /** Sends units to one server and puts their replies where they belong. */
  async #resend(
    group: readonly Pending[],
    { commands, slot, copies = 1 }: SlotBatch,
    replies: Reply[],
    reached: Map<CommandUnit, number | ReplyError>,
  ): Promise<ServerError | undefined> {
    const [{ server, isAsking, mustLoad }] = group as [Pending, ...Pending[]];
    const lane = server.laneOf(slot);
    await lane.attempt;
    const parts: { commands: Uint8Array }[] = [];
    let count = 0;
    for (const { unit } of group) {
      if (isAsking) parts.push({ commands: asking });
      parts.push({ commands: commands.subarray(unit.start, unit.end) });
      count += unit.count + (isAsking ? 1 : 0);
    }
    try {
      if (mustLoad) await this.#deps.loadScripts(server, lane);
      const wait = copies > 1 ? this.#waitFor(copies) : undefined;
      const exchange = await server.exchange(lane, joined(parts, wait), count + (wait === undefined ? 0 : 1));
      let at = 0;
      for (const { unit } of group) {
        if (isAsking) at++;
        for (let i = 0; i < unit.count; i++) replies[unit.first + i] = exchange.replies[at++]!;
      }
      const copiesNow = wait === undefined ? 1 : copiesFrom(exchange.replies[at]!);
      for (const { unit } of group) reached.set(unit, copiesNow);
      return undefined;
    } catch (error) {
      this.#deps.onStale();
      // An exchange throws nothing else. Other units of the batch may have been done before.
      return (error as ServerError).inDoubt();
    }
  }

  #waitFor(copies: number): Uint8Array {
    const writer = new CommandWriter()
      .begin(3)
      .text("WAIT")
      .integer(copies - 1);
    return writer.integer(this.#options.waitTimeoutMs).take();
  }
}

function copiesOf(batches: readonly SlotBatch[]): number {
  let most = 1;
  for (const { copies = 1 } of batches) if (copies > most) most = copies;
  return most;
}

/** How many servers have what was written, by the reply to WAIT. */
function copiesFrom(reply: Reply): number | ReplyError {
  if (typeof reply === "number") return reply + 1;
  return reply instanceof ReplyError ? reply : new ReplyError("ERR expected a number of replicas from WAIT");
}

/** What holds for all of a batch's units. */
function fewest(reached: readonly (number | ReplyError)[]): number | ReplyError {
  const numbers: number[] = [];
  for (const copies of reached) {
    if (typeof copies !== "number") return copies;
    numbers.push(copies);
  }
  return Math.min(...numbers);
}

/** All commands in one piece: without copying when they lie one behind the other in one buffer. */
function joined(
  parts: readonly { readonly commands: Uint8Array }[],
  last: Uint8Array | undefined,
): Uint8Array {
  const first = parts[0]!.commands;
  let bytes = 0;
  let areAdjacent = last === undefined;
  for (const { commands } of parts) {
    areAdjacent &&= commands.buffer === first.buffer && commands.byteOffset === first.byteOffset + bytes;
    bytes += commands.length;
  }
  if (areAdjacent) return new Uint8Array(first.buffer, first.byteOffset, bytes);
  const whole = Buffer.allocUnsafe(bytes + (last?.length ?? 0));
  let at = 0;
  for (const { commands } of parts) {
    whole.set(commands, at);
    at += commands.length;
  }
  if (last !== undefined) whole.set(last, at);
  return whole;
}

function byServer(pending: readonly Pending[]): readonly (readonly Pending[])[] {
  const groups = new Map<string, Pending[]>();
  for (const one of pending) {
    const key = `${one.server.name} ${one.isAsking} ${one.mustLoad}`;
    const group = groups.get(key);
    if (group === undefined) groups.set(key, [one]);
    else group.push(one);
  }
  return [...groups.values()];
}

/** Commands that the server's state refused; others of the batch may have been done. */
function refusal(server: ServerLinks, { error, fault }: StateError, isInDoubt: boolean): ServerError {
  const facts = { fault: fault.fault, isRetryable: true, isInDoubt, retryDelayMs: fault.retryDelayMs };
  return new ServerError("STORE_UNAVAILABLE", `redis at ${server.name}: ${error.message}`, facts);
}

function unserved(slot: number): ServerError {
  const facts = { fault: "unserved", isRetryable: true, isInDoubt: false, retryDelayMs: 500 } as const;
  return new ServerError("STORE_UNAVAILABLE", `expected a server for slot ${slot}, know of none`, facts);
}
