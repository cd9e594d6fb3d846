import { Link, type LinkError, type LinkOptions, type ServerAddress } from "../wire/link.ts";
import { type Reply, ReplyError } from "../wire/reply.ts";
import { Breaker } from "./breaker.ts";
import { Lane } from "./lane.ts";
import { faultOf } from "./reply-faults.ts";
import { ServerError } from "./server-error.ts";
import type { ServerUse } from "./servers.ts";

/** How the links to one server behave. */
export interface ServerLinksOptions {
  readonly purpose: "write" | "read";
  readonly link: LinkOptions;
  readonly connections: number;
  readonly inFlightBytesMax: number;
  readonly reconnectDelayMsMin: number;
  readonly reconnectDelayMsMax: number;
  readonly breakerFailures: number;
  readonly breakerOpenMs: number;
}

export interface ServerLinksDeps {
  /** Makes a link that has logged in ready for use, or rejects. */
  readonly prepare: (link: Link) => Promise<void>;
  readonly nextIncarnation: () => number;
  readonly random: () => number;
  /** A link has been opened. */
  readonly onOpened: () => void;
  /** A link has ended, or could not be opened. */
  readonly onFailed: () => void;
}

/** Replies, and on what they came. */
export interface Exchange {
  readonly replies: readonly Reply[];
  readonly incarnation: number;
}

/** The links to one server for one purpose, with the bound on what is under way to it and its breaker. */
export class ServerLinks {
  readonly address: ServerAddress;
  readonly name: string;
  readonly #options: ServerLinksOptions;
  readonly #lanes: readonly Lane[];
  readonly #breaker: Breaker;
  #inFlightBytes = 0;
  #opened = 0;
  #broken = 0;
  #refused = 0;

  /** Begins to connect. */
  constructor(address: ServerAddress, options: ServerLinksOptions, deps: ServerLinksDeps) {
    this.address = address;
    this.name = nameOf(address);
    this.#options = options;
    this.#breaker = new Breaker({ failures: options.breakerFailures, openMs: options.breakerOpenMs });
    const open = async (signal: AbortSignal): Promise<Link> => {
      const link = await Link.open(address, options.link, signal);
      await deps.prepare(link);
      return link;
    };
    const onOpened = (): void => {
      this.#opened++;
      this.#breaker.succeeded();
      deps.onOpened();
    };
    const onFailed = (): void => {
      this.#broken++;
      this.#breaker.failed(performance.now());
      deps.onFailed();
    };
    const { nextIncarnation, random } = deps;
    this.#lanes = Array.from(
      { length: options.connections },
      () => new Lane(options, { open, nextIncarnation, random, onOpened, onFailed }),
    );
  }

  /** Which of the lanes carries a slot: always the same, so that its commands keep their order. */
  laneOf(slot: number): Lane {
    return this.#lanes[slot % this.#lanes.length]!;
  }

  /** Settles when every lane has been connected, or has failed to be, once. */
  async ready(): Promise<void> {
    await Promise.all(this.#lanes.map((lane) => lane.attempt));
  }

  /**
   * Sends commands on a lane and waits for their replies.
   *
   * @throws {ServerError} refused before anything was sent, or in doubt when the link broke
   */
  async exchange(lane: Lane, commands: Uint8Array, count: number): Promise<Exchange> {
    const { link, incarnation } = lane;
    if (link === undefined)
      throw this.#refusal("disconnected", "is not connected", lane.waitMs(), lane.failure);
    const { inFlightBytesMax } = this.#options;
    const bytes = commands.length;
    // One batch that is larger than the bound may go alone, or it would never go.
    if (this.#inFlightBytes > 0 && this.#inFlightBytes + bytes > inFlightBytesMax)
      throw this.#refusal("congested", `has ${this.#inFlightBytes} bytes under way`, 50);
    const nowMs = performance.now();
    if (!this.#breaker.allows(nowMs))
      throw this.#refusal("broken-circuit", "has failed too often", this.#breaker.waitMs(nowMs));
    this.#inFlightBytes += bytes;
    try {
      const replies = await link.send(commands, count);
      if (replies.some(isOutage)) this.#breaker.failed(performance.now());
      else this.#breaker.succeeded();
      return { replies, incarnation };
    } catch (error) {
      // A link rejects with nothing else.
      const { message } = error as LinkError;
      const facts = { fault: "cut", isRetryable: true, isInDoubt: true, retryDelayMs: 100 } as const;
      throw new ServerError("STORE_UNAVAILABLE", message, facts, { cause: error });
    } finally {
      this.#inFlightBytes -= bytes;
    }
  }

  use(): ServerUse {
    const { purpose, connections, inFlightBytesMax } = this.#options;
    return {
      name: this.name,
      purpose,
      breaker: this.#breaker.state(performance.now()),
      connections: this.#lanes.filter((lane) => lane.link !== undefined).length,
      connectionsMax: connections,
      failure: this.#lanes.find((lane) => lane.failure !== undefined)?.failure?.message,
      inFlightBytes: this.#inFlightBytes,
      inFlightBytesMax,
      opened: this.#opened,
      broken: this.#broken,
      refused: this.#refused,
    };
  }

  /** Cuts the links and opens others: the server's name may lead elsewhere by now. */
  renew(): void {
    for (const lane of this.#lanes) lane.renew();
  }

  /** Gives the links other numbers: what was remembered of them counts no more. */
  forget(): void {
    for (const lane of this.#lanes) lane.forget();
  }

  /** Hangs up for good. What is under way is in doubt. Idempotent. */
  close(): void {
    for (const lane of this.#lanes) lane.close();
  }

  #refusal(
    fault: "disconnected" | "broken-circuit" | "congested",
    what: string,
    waitMs: number,
    cause?: Error,
  ): ServerError {
    this.#refused++;
    const facts = {
      fault,
      isRetryable: true,
      isInDoubt: false,
      retryDelayMs: Math.max(50, Math.ceil(waitMs)),
    };
    const why = cause === undefined ? "" : ` (${cause.message})`;
    return new ServerError("STORE_UNAVAILABLE", `redis at ${this.name} ${what}${why}`, facts, { cause });
  }
}

function isOutage(reply: Reply): boolean {
  return reply instanceof ReplyError && faultOf(reply)?.isOutage === true;
}

/** `host:port`, the host in brackets when it is an IPv6 address. */
export function nameOf({ host, port }: ServerAddress): string {
  return host.includes(":") ? `[${host}]:${port}` : `${host}:${port}`;
}
