import { createConnection, type Socket } from "node:net";
import { connect as connectTls } from "node:tls";
import { CommandWriter } from "./command-writer.ts";
import { type Reply, ReplyError } from "./reply.ts";
import { ReplyParser } from "./reply-parser.ts";
import type { TlsOptions } from "./tls-options.ts";

/** Where a server listens. */
export interface ServerAddress {
  readonly host: string;
  readonly port: number;
}

/** Who connects, and how. */
export interface LinkOptions {
  /** The user of an ACL; without one the password is the server's own. */
  readonly username?: string;
  readonly password?: string;
  /** The numbered database; 0 when it is not given. */
  readonly database?: number;
  /** Encrypts. */
  readonly tls?: TlsOptions;
  /** Says READONLY: a replica in a cluster then answers reads. */
  readonly isReadOnly?: boolean;
  /** Shown by CLIENT LIST; without spaces. */
  readonly name: string;
  /** How long connecting and logging in may take together. */
  readonly connectTimeoutMs: number;
  /** How long a server may say nothing while a batch waits; the link is cut then, for the order of replies is all it has. */
  readonly replyTimeoutMs: number;
  /** Bytes of one bulk string in a reply. */
  readonly bulkBytesMax: number;
}

/** Why a link is of no use. What was sent and not answered is in doubt: it may have been done. */
export type LinkErrorCode =
  /** The server could not be reached, or hung up. */
  | "LINK_CLOSED"
  /** It did not answer in time. */
  | "LINK_TIMEOUT"
  /** It refused the password, or the user may not connect. */
  | "LINK_REFUSED";

/** The end of a link. */
export class LinkError extends Error {
  override readonly name = "LinkError";
  readonly code: LinkErrorCode;

  constructor(code: LinkErrorCode, message: string, options?: ErrorOptions) {
    super(message, options);
    this.code = code;
  }
}

/** A batch that has been sent. */
interface Flight {
  readonly replies: Reply[];
  readonly count: number;
  readonly sentAtMs: number;
  readonly resolve: (replies: readonly Reply[]) => void;
  readonly reject: (error: LinkError) => void;
}

/** Elements of one reply; an array of ours never has as many. */
const elementsMax = 10_000_000;

/** What a server answers everything with for a while: no refusal of this user. */
const passingStates: ReadonlySet<string> = new Set(["LOADING", "BUSY", "MASTERDOWN"]);

/**
 * One connection to one server, from connecting to its end; it never reconnects, so that whoever counts on what was said
 * on it before (R10) need only ask whether it is the same link.
 *
 * Batches are written whole and answered in order. Any number may be under way; the sender bounds them.
 */
export class Link {
  readonly address: ServerAddress;
  /** Settles, never rejects, when the link has ended. */
  readonly ended: Promise<LinkError>;
  readonly #socket: Socket;
  readonly #options: LinkOptions;
  readonly #parser: ReplyParser;
  readonly #flights: Flight[] = [];
  #head = 0;
  #end: LinkError | undefined;
  #resolveEnded: (error: LinkError) => void = () => {};
  #timer: NodeJS.Timeout | undefined;
  /** When it sent the last piece. */
  #heardAtMs = 0;

  private constructor(socket: Socket, address: ServerAddress, options: LinkOptions) {
    this.#socket = socket;
    this.address = address;
    this.#options = options;
    this.#parser = new ReplyParser({ bulkBytesMax: options.bulkBytesMax, elementsMax });
    this.ended = new Promise((resolve) => {
      this.#resolveEnded = resolve;
    });
    socket.on("data", (piece: Buffer) => this.#read(piece));
    socket.once("error", (cause) => this.#cut("LINK_CLOSED", cause.message, cause));
    socket.once("close", () => this.#cut("LINK_CLOSED", "the server hung up"));
  }

  /**
   * Connects and logs in.
   *
   * @throws {LinkError} any code
   * @throws the signal's reason when it aborts first
   */
  static async open(address: ServerAddress, options: LinkOptions, signal?: AbortSignal): Promise<Link> {
    signal?.throwIfAborted();
    const { host, port } = address;
    const socket =
      options.tls === undefined
        ? createConnection({ host, port, noDelay: true, keepAlive: true })
        : connectTls({ host, port, ...options.tls })
            .setNoDelay(true)
            .setKeepAlive(true);
    const link = new Link(socket, address, options);
    const timer = setTimeout(() => {
      link.#cut("LINK_TIMEOUT", `expected a connection within ${options.connectTimeoutMs} ms`);
    }, options.connectTimeoutMs);
    const abort = (): void => link.close();
    signal?.addEventListener("abort", abort, { once: true });
    try {
      await link.#logIn();
      return link;
    } catch (error) {
      link.close();
      signal?.throwIfAborted();
      throw error;
    } finally {
      clearTimeout(timer);
      signal?.removeEventListener("abort", abort);
    }
  }

  get isOpen(): boolean {
    return this.#end === undefined;
  }

  /** Batches that are not answered yet. */
  get inFlight(): number {
    return this.#flights.length - this.#head;
  }

  /**
   * Writes encoded commands and resolves with their replies, in order; an error reply is one of them.
   *
   * @param commands - not to be changed until the promise has settled
   * @param count - how many commands they are; at least 1
   * @throws {LinkError} LINK_CLOSED, LINK_TIMEOUT: nothing is known of what became of them
   */
  send(commands: Uint8Array, count: number): Promise<readonly Reply[]> {
    if (this.#end !== undefined) return Promise.reject(this.#end);
    return new Promise((resolve, reject) => {
      this.#flights.push({ replies: [], count, sentAtMs: performance.now(), resolve, reject });
      this.#socket.write(commands);
      this.#timer ??= this.#watch(this.#options.replyTimeoutMs);
    });
  }

  /** Hangs up. What is not answered is in doubt. Idempotent. */
  close(): void {
    this.#cut("LINK_CLOSED", "it was closed on this side");
  }

  async #logIn(): Promise<void> {
    const { username, password, database = 0, isReadOnly = false, name } = this.#options;
    const writer = new CommandWriter();
    if (password !== undefined) {
      if (username === undefined) writer.begin(2).text("AUTH");
      else writer.begin(3).text("AUTH").bytes(Buffer.from(username));
      writer.bytes(Buffer.from(password));
    }
    if (database !== 0) writer.begin(2).text("SELECT").integer(database);
    if (isReadOnly) writer.begin(1).text("READONLY");
    writer.begin(3).text("CLIENT").text("SETNAME").text(name);
    const count = writer.commands;
    const replies = await this.send(writer.take(), count);
    for (const [i, reply] of replies.entries()) {
      if (!(reply instanceof ReplyError)) continue;
      const isPassing = passingStates.has(reply.code);
      // The name is for people; without the rest the link would be another than it should be.
      if (isPassing && i === count - 1) continue;
      throw new LinkError(isPassing ? "LINK_CLOSED" : "LINK_REFUSED", `${this.#name()}: ${reply.message}`);
    }
  }

  #read(piece: Buffer): void {
    this.#heardAtMs = performance.now();
    try {
      this.#parser.push(piece, (reply) => this.#take(reply));
    } catch (cause) {
      this.#cut("LINK_CLOSED", cause instanceof Error ? cause.message : String(cause), cause);
    }
  }

  #take(reply: Reply): void {
    const flight = this.#flights[this.#head];
    if (flight === undefined) {
      this.#cut("LINK_CLOSED", "it sent a reply that nobody had asked for");
      return;
    }
    flight.replies.push(reply);
    if (flight.replies.length < flight.count) return;
    this.#head++;
    if (this.#head === this.#flights.length) {
      this.#flights.length = 0;
      this.#head = 0;
    } else if (this.#head === 64) {
      this.#flights.splice(0, 64);
      this.#head = 0;
    }
    flight.resolve(flight.replies);
  }

  #watch(afterMs: number): NodeJS.Timeout {
    // It does not keep the process alive: the socket does, while somebody waits.
    return setTimeout(() => this.#checkTime(), afterMs).unref();
  }

  #checkTime(): void {
    const { replyTimeoutMs } = this.#options;
    const oldest = this.#flights[this.#head];
    this.#timer = undefined;
    if (oldest === undefined) return;
    const leftMs = Math.max(oldest.sentAtMs, this.#heardAtMs) + replyTimeoutMs - performance.now();
    if (leftMs > 0) this.#timer = this.#watch(Math.ceil(leftMs));
    else this.#cut("LINK_TIMEOUT", `expected a reply within ${replyTimeoutMs} ms`);
  }

  #cut(code: LinkErrorCode, reason: string, cause?: unknown): void {
    if (this.#end !== undefined) return;
    const error = new LinkError(code, `${this.#name()}: ${reason}`, { cause });
    this.#end = error;
    clearTimeout(this.#timer);
    this.#socket.destroy();
    for (const { reject } of this.#flights.splice(this.#head)) reject(error);
    this.#resolveEnded(error);
  }

  #name(): string {
    return `redis at ${this.address.host}:${this.address.port}`;
  }
}
