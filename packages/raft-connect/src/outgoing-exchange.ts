import type { MessageInitShape } from "@bufbuild/protobuf";
import { createClient } from "@connectrpc/connect";
import { type ExchangeRequestSchema, type ExchangeResponse, RaftService } from "@mon/proto";
import { type Identity, RaftError, type Timer } from "@mon/raft";
import { encodeBatch, formatVersion } from "./batch.ts";
import { raftErrorFromCall } from "./failure.ts";
import { assertSameCluster, identityFromPeer, peerFromIdentity } from "./identity.ts";
import type { Outbox } from "./outbox.ts";
import { PeerConnection, type PeerConnectionDeps } from "./peer-connection.ts";

/** What every call to a peer needs. */
export interface PeerDeps extends Omit<PeerConnectionDeps, "signal"> {
  /** Who calls. */
  readonly identity: Identity;
}

type Request = MessageInitShape<typeof ExchangeRequestSchema>;

/**
 * One connection with one stream, which takes messages out of the outbox as fast as the peer reads them.
 *
 *     connecting ─▶ open ─▶ finishing ─▶ ended
 *
 * What waits while the transport is busy with a batch is the next one: batches form by themselves, without a timer.
 */
export class OutgoingExchange {
  readonly #deps: PeerDeps;
  readonly #outbox: Outbox;
  readonly #abort = new AbortController();
  readonly #opened = Promise.withResolvers<void>();
  #wake = Promise.withResolvers<void>();
  #state: "connecting" | "open" | "ended" = "connecting";
  /** Set when no more than that is to be sent. */
  #finish: "after the queue" | "now" | undefined;
  #openedAtMs: number | undefined;
  #usedAtMs = 0;
  /** For the peer's answer, and then for something to send. */
  #waitTimer: Timer | undefined;
  #finishTimer: Timer | undefined;

  constructor(deps: PeerDeps, outbox: Outbox) {
    this.#deps = deps;
    this.#outbox = outbox;
  }

  /** When the peer answered, by the clock; undefined until then. */
  get openedAtMs(): number | undefined {
    return this.#openedAtMs;
  }

  /** Looks for something to send; call it whenever something was queued. */
  wake(): void {
    this.#wake.resolve();
  }

  /**
   * Sends what is queued, or nothing more at all, and ends when the peer has read it; after `drainTimeoutMs` in any case,
   * and then with an error.
   */
  finish(how: "after the queue" | "now"): void {
    if (this.#state === "ended" || this.#finish !== undefined) return;
    this.#finish = how;
    const { drainTimeoutMs } = this.#deps.options;
    this.#finishTimer = this.#timeLimit(drainTimeoutMs, "take what was sent");
    this.wake();
  }

  /**
   * Connects, and carries messages until it is finished in good order. Call it once.
   *
   * @throws {RaftError} the peer's refusal, or RAFT_UNREACHABLE: what was taken from the outbox may be lost
   */
  async run(): Promise<void> {
    const { options, peer } = this.#deps;
    const { signal } = this.#abort;
    let connection: PeerConnection | undefined;
    try {
      connection = await PeerConnection.open({ ...this.#deps, signal });
      connection.onGoAway(() => this.finish("now"));
      this.#waitTimer = this.#timeLimit(options.connectTimeoutMs, "say who it is");
      const answers = createClient(RaftService, connection.transport).exchange(this.#requests(), { signal });
      for await (const answer of answers) this.#open(answer);
      if (this.#openedAtMs === undefined) {
        throw new RaftError(
          "RAFT_UNREACHABLE",
          `expected ${peer} to say who it is, got the end of the stream`,
        );
      }
    } catch (error) {
      throw raftErrorFromCall(signal.aborted ? signal.reason : error, peer);
    } finally {
      this.#state = "ended";
      this.#waitTimer?.cancel();
      this.#finishTimer?.cancel();
      this.#opened.resolve();
      this.wake();
      await connection?.close();
    }
  }

  async *#requests(): AsyncGenerator<Request> {
    const { identity, options, peer } = this.#deps;
    const sender = peerFromIdentity(identity);
    const opening = { receiverNodeId: peer, format: formatVersion };
    yield { sender, content: { case: "opening", value: opening } };
    await this.#opened.promise;
    // The transport may ask once more after the stream has ended; what it got then would be lost.
    while (this.#state === "open" && this.#finish !== "now") {
      const messages = this.#outbox.take(options.maxBatchBytes);
      if (messages !== undefined) {
        this.#usedAtMs = this.#deps.clock.now();
        yield { sender, content: { case: "batch", value: encodeBatch(messages) } };
        continue;
      }
      if (this.#finish !== undefined) return;
      this.#wake = Promise.withResolvers();
      await this.#wake.promise;
    }
  }

  #open({ receiver }: ExchangeResponse): void {
    const { clock, identity, peer } = this.#deps;
    if (this.#state !== "connecting") {
      throw new RaftError("RAFT_MALFORMED", `expected ${peer} to answer once, got a second answer`);
    }
    const answered = identityFromPeer(receiver);
    assertSameCluster(identity, answered);
    if (answered.nodeId !== peer) {
      throw new RaftError("RAFT_WRONG_NODE", `expected ${peer} to answer, got ${answered.nodeId}`);
    }
    this.#state = "open";
    this.#openedAtMs = clock.now();
    this.#usedAtMs = this.#openedAtMs;
    this.#waitTimer?.cancel();
    this.#waitForUse();
    this.#opened.resolve();
  }

  /** Finishes when there was nothing to send for long: the peer may be no member any more. */
  #waitForUse(): void {
    const { clock, options } = this.#deps;
    const leftMs = this.#usedAtMs + options.linkIdleMs - clock.now();
    if (leftMs <= 0) {
      this.finish("now");
      return;
    }
    // Clocks are set back sometimes.
    this.#waitTimer = clock.setTimeout(() => this.#waitForUse(), Math.min(leftMs, options.linkIdleMs));
  }

  #timeLimit(ms: number, what: string): Timer {
    const { clock, peer } = this.#deps;
    const error = new RaftError("RAFT_UNREACHABLE", `expected ${peer} to ${what} within ${ms} ms`);
    return clock.setTimeout(() => this.#abort.abort(error), ms);
  }
}
