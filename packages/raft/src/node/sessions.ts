import type { Entry } from "../entry.ts";
import { RaftError } from "../errors.ts";
import type { FSM, FsmSnapshot } from "../fsm.ts";

/** How results of a state machine become bytes, to be kept for repeated commands and in snapshots. */
export interface ResultCodec<Result> {
  encode(result: Result): Uint8Array;
  decode(bytes: Uint8Array): Result;
}

/** How {@link withSessions} behaves. The same on every member, or their state machines differ. */
export interface SessionOptions<Result> {
  /**
   * Clients that are remembered; the one that was silent longest is forgotten for a new one. Default 4,096. A client
   * that is forgotten and repeats a command gets `expired`.
   */
  readonly maxSessions?: number;
  /** Default: JSON. */
  readonly codec?: ResultCodec<Result>;
}

/** What a command in a session comes to. */
export type SessionResult<Result> =
  | {
      readonly kind: "applied";
      readonly result: Result;
      /** Whether it was applied before, and this is what it gave then. */
      readonly repeated: boolean;
    }
  /** Not applied: the client was forgotten, or a later command of it was applied already. */
  | { readonly kind: "expired" }
  /**
   * Not applied: the bytes are no command of a session. A result and no error, or one bad proposal would stop every
   * member.
   */
  | { readonly kind: "malformed" };

/** One client's commands, numbered so that each is applied once however often it is proposed. One at a time. */
export class ClientSession {
  readonly clientId: string;
  #serial = 0;

  /** @param clientId - unique, for ever: a random one for each run of a client. 1 to 255 bytes of UTF-8 */
  constructor(clientId: string) {
    const { length } = encoder.encode(clientId);
    if (length === 0 || length > 255) {
      throw new RangeError(`expected a client id of 1 to 255 bytes, got ${length}`);
    }
    this.clientId = clientId;
  }

  /** The next command, to be proposed until its outcome is known: the same bytes again and again. */
  command(data: Uint8Array): Uint8Array {
    this.#serial++;
    const id = encoder.encode(this.clientId);
    const bytes = new Uint8Array(1 + 1 + id.length + 8 + data.length);
    const view = new DataView(bytes.buffer);
    view.setUint8(0, FORMAT);
    view.setUint8(1, id.length);
    bytes.set(id, 2);
    view.setBigUint64(2 + id.length, BigInt(this.#serial));
    bytes.set(data, 2 + id.length + 8);
    return bytes;
  }
}

/**
 * Makes a state machine apply each command of a {@link ClientSession} exactly once (§8, thesis §6.3). A proposal
 * whose outcome is unknown can then simply be made again.
 *
 * What is remembered of clients is part of the state: it is in snapshots and in the fingerprint. The first command
 * of a client opens its session, so serial 1 of a forgotten client would be taken for new: client ids must not be
 * used again.
 */
export function withSessions<Result>(
  fsm: FSM<Result>,
  options: SessionOptions<Result> = {},
): FSM<SessionResult<Result>> {
  return new SessionMachine(fsm, options.maxSessions ?? 4096, options.codec ?? json());
}

interface Session {
  serial: number;
  result: Uint8Array;
}

class SessionMachine<Result> implements FSM<SessionResult<Result>> {
  readonly hash?: () => string;
  readonly #fsm: FSM<Result>;
  readonly #maxSessions: number;
  readonly #codec: ResultCodec<Result>;
  /** The client that was silent longest comes first. */
  #sessions = new Map<string, Session>();

  constructor(fsm: FSM<Result>, maxSessions: number, codec: ResultCodec<Result>) {
    if (!Number.isSafeInteger(maxSessions) || maxSessions < 1) {
      throw new RangeError(`expected maxSessions to be an integer of at least 1, got ${String(maxSessions)}`);
    }
    this.#fsm = fsm;
    this.#maxSessions = maxSessions;
    this.#codec = codec;
    if (fsm.hash !== undefined) {
      this.hash = () => `${fsm.hash!()} ${this.#sessionsText()}`;
    }
  }

  async apply(entries: readonly Entry[]): Promise<readonly SessionResult<Result>[]> {
    const results: SessionResult<Result>[] = [];
    for (const entry of entries) {
      results.push(await this.#applyOne(entry));
    }
    return results;
  }

  async snapshot(): Promise<FsmSnapshot> {
    const header = encoder.encode(`${this.#sessionsText()}\n`);
    const inner = await this.#fsm.snapshot();
    return {
      async *chunks() {
        yield header;
        yield* inner.chunks();
      },
      release: () => inner.release?.(),
    };
  }

  async restore(chunks: AsyncIterable<Uint8Array>): Promise<void> {
    const rest = new HeaderReader(chunks);
    const header = await rest.header();
    await this.#fsm.restore(rest.chunks());
    this.#sessions = new Map(
      (JSON.parse(header) as [string, number, string][]).map(([id, serial, result]) => [
        id,
        { serial, result: Buffer.from(result, "base64") },
      ]),
    );
  }

  async #applyOne(entry: Entry): Promise<SessionResult<Result>> {
    const command = decode(entry);
    if (command === undefined) {
      return { kind: "malformed" };
    }
    const { clientId, serial, data } = command;
    const session = this.#sessions.get(clientId);
    if (session === undefined ? serial !== 1 : serial < session.serial || serial > session.serial + 1) {
      return { kind: "expired" };
    }
    if (session?.serial === serial) {
      return { kind: "applied", result: this.#codec.decode(session.result), repeated: true };
    }
    const [result] = await this.#fsm.apply([{ ...entry, data }]);
    this.#sessions.delete(clientId);
    this.#sessions.set(clientId, { serial, result: this.#codec.encode(result as Result) });
    if (this.#sessions.size > this.#maxSessions) {
      this.#sessions.delete(this.#sessions.keys().next().value!);
    }
    return { kind: "applied", result: result as Result, repeated: false };
  }

  #sessionsText(): string {
    return JSON.stringify(
      [...this.#sessions].map(([id, { serial, result }]) => [
        id,
        serial,
        Buffer.from(result).toString("base64"),
      ]),
    );
  }
}

/** Splits the first line off a stream of bytes. */
class HeaderReader {
  readonly #chunks: AsyncIterator<Uint8Array>;
  #rest: Uint8Array = new Uint8Array(0);

  constructor(chunks: AsyncIterable<Uint8Array>) {
    this.#chunks = chunks[Symbol.asyncIterator]();
  }

  async header(): Promise<string> {
    const read: Uint8Array[] = [];
    for (let next = await this.#chunks.next(); !next.done; next = await this.#chunks.next()) {
      const end = next.value.indexOf(NEW_LINE);
      if (end >= 0) {
        read.push(next.value.subarray(0, end));
        this.#rest = next.value.subarray(end + 1);
        return decoder.decode(Buffer.concat(read));
      }
      read.push(next.value);
    }
    throw new RaftError("RAFT_SNAPSHOT_CORRUPT", "expected a line of sessions, got the end");
  }

  async *chunks(): AsyncIterable<Uint8Array> {
    yield this.#rest;
    for (let next = await this.#chunks.next(); !next.done; next = await this.#chunks.next()) {
      yield next.value;
    }
  }
}

function decode({ data }: Entry): { clientId: string; serial: number; data: Uint8Array } | undefined {
  const length = data[1] ?? 0;
  if (data[0] !== FORMAT || data.length < 2 + length + 8) {
    return undefined;
  }
  const view = new DataView(data.buffer, data.byteOffset, data.byteLength);
  return {
    clientId: decoder.decode(data.subarray(2, 2 + length)),
    serial: Number(view.getBigUint64(2 + length)),
    data: data.subarray(2 + length + 8),
  };
}

function json<Result>(): ResultCodec<Result> {
  return {
    encode: (result) => encoder.encode(JSON.stringify(result ?? null)),
    decode: (bytes) => JSON.parse(decoder.decode(bytes)) as Result,
  };
}

const FORMAT = 1;
const NEW_LINE = 10;
const encoder = new TextEncoder();
const decoder = new TextDecoder();
