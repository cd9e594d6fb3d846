import type { ReportResponse } from "@mon/proto";
import type { Clock, Timer } from "./clock.ts";
import { BrokerConnection } from "./connection.ts";
import { ClientError } from "./errors.ts";
import type { ResolvedOptions } from "./options.ts";
import { reportStream } from "./report-stream.ts";
import type { Batch, ReportSession } from "./session.ts";
import type { Settlement } from "./settlement.ts";

/** How long a broker may take to end a stream on which nothing is left to say. */
const drainTimeoutMs = 1_000;

/** Why a link ended. */
export interface LinkEnd {
  /** "released" when the broker or the client ended it in good order, "failed" otherwise. */
  readonly why: "released" | "failed";
  /** What failed. */
  readonly error?: ClientError;
}

/** What a link needs of the client. */
export interface LinkDeps {
  readonly broker: string;
  readonly options: ResolvedOptions;
  readonly session: ReportSession;
  readonly clock: Clock;
  /** Ends the link at once. */
  readonly signal: AbortSignal;
  readonly onConnected: (connection: BrokerConnection) => void;
  readonly onSettled: (settlement: Settlement) => void;
}

/**
 * One connection with one `Report` stream: it pulls batches out of the session as fast as window and transport allow,
 * and feeds outcomes back. What has no outcome when it ends waits in the session again.
 */
export class Link {
  readonly #deps: LinkDeps;
  readonly #abort = new AbortController();
  #wake: PromiseWithResolvers<void> = Promise.withResolvers();
  #state: "open" | "draining" | "ended" = "open";
  #failure: ClientError | undefined;
  #ackTimer: Timer | undefined;
  #wakeTimer: Timer | undefined;
  #drainTimer: Timer | undefined;

  constructor(deps: LinkDeps) {
    this.#deps = deps;
  }

  /** Looks for something to send; call it whenever the session was given something. */
  wake(): void {
    this.#wake.resolve();
  }

  /** Sends nothing more, waits for the outcomes under way, and ends. */
  drain(): void {
    if (this.#state !== "open") return;
    this.#state = "draining";
    this.wake();
    this.#endWhenDrained();
  }

  /** Connects and carries reports until the link ends. Never rejects. Call it once. */
  async run(): Promise<LinkEnd> {
    const { broker, options, session, clock, signal } = this.#deps;
    const onAbort = (): void => this.#abort.abort();
    signal.addEventListener("abort", onAbort, { once: true });
    if (signal.aborted) onAbort();
    let connection: BrokerConnection | undefined;
    try {
      connection = await BrokerConnection.open(broker, options, {
        clock,
        signal: this.#abort.signal,
        onGoAway: () => this.drain(),
      });
      this.#deps.onConnected(connection);
      this.#armAckTimer();
      const outcomes = reportStream(connection, this.#batches(), options.headers, this.#abort.signal);
      for await (const response of outcomes) this.#settle(response);
      return { why: "released" };
    } catch (error) {
      if (this.#failure !== undefined) return { why: "failed", error: this.#failure };
      if (this.#state === "draining") return { why: "released" };
      return { why: "failed", error: ClientError.from(error, broker) };
    } finally {
      this.#state = "ended";
      signal.removeEventListener("abort", onAbort);
      for (const timer of [this.#ackTimer, this.#wakeTimer, this.#drainTimer]) timer?.clear();
      session.disconnect();
      this.wake();
      await connection?.close();
    }
  }

  /** Batches for the stream; ends when the link drains, which closes the sending side. */
  async *#batches(): AsyncGenerator<Batch> {
    const { session, clock } = this.#deps;
    // The transport may ask once more after the link has ended; what it got then would be lost.
    while (this.#state === "open") {
      const batch = session.next(clock.now());
      if (batch !== undefined) {
        yield batch;
        continue;
      }
      this.#wake = Promise.withResolvers();
      this.#armWakeTimer();
      await this.#wake.promise;
    }
  }

  #settle({ sequence, outcome }: ReportResponse): void {
    const { broker, session, clock } = this.#deps;
    const settlement = outcome === undefined ? undefined : session.settle(sequence, outcome, clock.now());
    if (settlement === undefined) {
      const text = `expected the outcome of a batch under way, got ${outcome ? "one" : "none"} for number ${sequence}`;
      throw new ClientError("CLIENT_PROTOCOL", text, { broker });
    }
    this.#deps.onSettled(settlement);
    this.wake();
    if (this.#state === "draining") this.#endWhenDrained();
  }

  #endWhenDrained(): void {
    if (this.#deps.session.batchesUnderWay > 0 || this.#drainTimer !== undefined) return;
    this.#drainTimer = this.#deps.clock.setTimeout(() => this.#abort.abort(), drainTimeoutMs);
  }

  /** Wakes when refused reports are due or the first report has lingered. */
  #armWakeTimer(): void {
    const { session, clock } = this.#deps;
    this.#wakeTimer?.clear();
    const atMs = session.wakeAtMs();
    if (atMs === undefined) return;
    this.#wakeTimer = clock.setTimeout(() => this.wake(), Math.max(1, atMs - clock.now()));
  }

  /** One timer that looks at the session when it fires, rather than one for each batch. */
  #armAckTimer(): void {
    const { broker, options, session, clock } = this.#deps;
    const sinceMs = session.unackedSinceMs ?? clock.now();
    const waitMs = Math.max(1, sinceMs + options.ackTimeoutMs - clock.now());
    this.#ackTimer = clock.setTimeout(() => {
      const unackedMs = clock.now() - (session.unackedSinceMs ?? clock.now());
      if (unackedMs < options.ackTimeoutMs) return this.#armAckTimer();
      const text = `expected an outcome within ${options.ackTimeoutMs} ms, with ${session.batchesUnderWay} batches under way`;
      this.#failure = new ClientError("CLIENT_ACK_TIMEOUT", text, { broker });
      this.#abort.abort();
    }, waitMs);
  }
}
