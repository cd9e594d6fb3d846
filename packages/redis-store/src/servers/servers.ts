import type { ServerAddress } from "../wire/link.ts";
import type { Reply } from "../wire/reply.ts";
import type { ServerFacts } from "./facts.ts";
import type { ServerError } from "./server-error.ts";

/** Slots that keys hash to; those of a deployment that is no cluster belong to its one primary. */
export const slotCount = 16_384;

/**
 * Commands on keys of one slot, sent whole and in order on one link.
 *
 * A unit is a command, or a transaction from MULTI to EXEC. Units must be idempotent, for one that was cut off or
 * redirected is sent again, and must not count on units before them of the same batch: one that the server redirects is
 * done after those that it took.
 */
export interface SlotBatch {
  readonly slot: number;
  /** Encoded commands. Not to be changed until the promise has settled; may be a view of a larger buffer. */
  readonly commands: Uint8Array;
  /** How many commands they are, MULTI and EXEC counted; at least 1. */
  readonly count: number;
  /** Servers that must have it before it counts as done, the primary among them; 1, which asks nothing of replicas. */
  readonly copies?: number;
}

/** A batch that was done. */
export interface SlotAnswer {
  /**
   * One reply for each command, in order. Errors among them, and within a transaction's array, are of the commands
   * themselves (WRONGTYPE, what a script raised); what a server's state refuses makes the whole batch an error.
   */
  readonly replies: readonly Reply[];
  /** Servers that have it: `copies` of the batch or more when it asked for more than one, else 1. */
  readonly copies: number;
  /**
   * On which incarnation of the slot's link all of it was done; 0 when it took several, and nothing may be remembered.
   */
  readonly incarnation: number;
  readonly error?: undefined;
}

/** What became of a batch. */
export type SlotOutcome = SlotAnswer | { readonly error: ServerError };

/** Commands on keys of one slot that change nothing. */
export type ReadBatch = Omit<SlotBatch, "copies">;

/** What was read. */
export interface ReadAnswer {
  readonly replies: readonly Reply[];
  /** How old it may be, in milliseconds: 0 from a primary; from a replica, the time since it heard from its primary. */
  readonly ageMs: number;
  readonly error?: undefined;
}

/** What became of a reading batch. */
export type ReadOutcome = ReadAnswer | { readonly error: ServerError };

/** A server that takes writes for some slots. */
export interface Primary {
  readonly address: ServerAddress;
  /** `host:port`. */
  readonly name: string;
  /** Its slots as ranges, both ends included, in order. */
  readonly slots: readonly (readonly [first: number, last: number])[];
  /** A hash tag, without braces, of one of its slots: a key with it lies on this server. */
  readonly tag: string;
  /**
   * Sends commands to this server and no other; nothing is redirected or sent again.
   *
   * @returns their replies, in order, error replies among them
   * @throws {ServerError} the server could not be asked; in doubt when the link broke
   */
  call(commands: Uint8Array, count: number, options?: CallOptions): Promise<readonly Reply[]>;
}

export interface CallOptions {
  /** Gives up waiting; what was sent is in doubt. */
  readonly signal?: AbortSignal;
}

/** The state of a breaker: `open` refuses, `half-open` lets one attempt through. */
export type BreakerState = "closed" | "open" | "half-open";

/** Use of the connections to one server. */
export interface ServerUse {
  readonly name: string;
  /** Whether they carry {@link Servers.send}, or reads and calls: a primary has connections for each. */
  readonly purpose: "write" | "read";
  readonly breaker: BreakerState;
  /** Connections that are open, of so many. */
  readonly connections: number;
  readonly connectionsMax: number;
  /** Why one of them is not open; undefined when all are. */
  readonly failure: string | undefined;
  /** Bytes of commands sent and not answered. */
  readonly inFlightBytes: number;
  readonly inFlightBytesMax: number;
  /** Since the start: connections opened; those that broke or could not be opened; writes refused before they were sent. */
  readonly opened: number;
  readonly broken: number;
  readonly refused: number;
}

/** What servers tell of. */
export interface ServersEvents {
  /** The link of some slots, or their primary, is another: incarnations have changed. */
  readonly changed: [];
}

/**
 * The servers of one deployment, found and watched: where each slot lives now, open links to each server, and what to do
 * with what they answer. `openServers` makes one.
 */
export interface Servers extends AsyncDisposable {
  readonly deployment: "standalone" | "sentinel" | "cluster";

  /**
   * Sends each batch to the primary of its slot, those for one server in one write, and waits for their outcomes, in
   * order; it never rejects. MOVED, ASK and TRYAGAIN are followed within bounds, scripts that a server does not know are
   * loaded. What finds no open link, or too many bytes under way, is refused at once, not queued;
   * whoever tries again waits for `retryDelayMs` of the error first, or spins.
   */
  send(batches: readonly SlotBatch[], options?: CallOptions): Promise<readonly SlotOutcome[]>;

  /** As {@link send}, for batches that change nothing. A slot without a replica that answers is read from its primary. */
  read(
    batches: readonly ReadBatch[],
    options?: CallOptions & { readonly from?: "primary" | "replica" },
  ): Promise<readonly ReadOutcome[]>;

  /**
   * A number for the slot's present link; another one as soon as its primary, or the socket to it, is another; 0 while
   * there is none.
   */
  incarnation(slot: number): number;

  /** The primaries of now, in order of their first slots. */
  primaries(): readonly Primary[];

  /** Runs a task for each primary at once. @throws what tasks threw, when all have settled: the first */
  forEachPrimary<T>(task: (primary: Primary) => Promise<T>): Promise<T[]>;

  /** What the primaries said of themselves when they were last looked at. */
  facts(): readonly ServerFacts[];
  /** Asks again what {@link facts} says. @throws {ServerError} */
  refreshFacts(): Promise<readonly ServerFacts[]>;

  /** Use of the connections to every server that is known. */
  use(): readonly ServerUse[];

  on(event: keyof ServersEvents, listener: () => void): this;
  off(event: keyof ServersEvents, listener: () => void): this;

  /** Hangs up everywhere; what is under way becomes an error in doubt. Idempotent. */
  close(): Promise<void>;
}
