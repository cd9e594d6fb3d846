import { EventEmitter } from "node:events";
import { createClient as createCalls } from "@connectrpc/connect";
import { MonitorService, type RegisterResponse, type Rejection } from "@mon/proto";
import { BrokerRotation } from "./backoff.ts";
import { type Clock, type Random, systemClock, systemRandom } from "./clock.ts";
import type { BrokerConnection } from "./connection.ts";
import { abortError, ClientError } from "./errors.ts";
import type { Count, LedgerSnapshot } from "./ledger.ts";
import { Link, type LinkEnd } from "./link.ts";
import { type ClientOptions, type ResolvedOptions, resolveOptions } from "./options.ts";
import { Presence, type PresenceCalls, type Registration } from "./presence.ts";
import { type ReportInput, reportBytes } from "./report-bytes.ts";
import { type DropReason, type Mark, type PushResult, ReportSession } from "./session.ts";
import type { Settlement } from "./settlement.ts";

/** Where a client is in its life; it goes from left to right and never back. */
export type ClientState = "idle" | "running" | "stopping" | "stopped";

/**
 * What a client tells. Listeners are called after the work at hand, never inside of it; one that throws ends the
 * process, as with any event emitter, but cannot disturb the client's books.
 */
export interface MonClientEvents {
  /** A broker speaks HTTP/2 with us; reports flow. */
  connected: [{ readonly broker: string }];
  /** A connection ended, or an attempt failed. `error` is missing when the broker let go in good order. */
  disconnected: [
    {
      readonly broker: string;
      readonly error: ClientError | undefined;
      readonly retryMs: number | undefined;
    },
  ];
  /** A broker refused samples or reports for good, and says why. `samples` counts all, `rejections` lists 1,000 at most. */
  rejected: [
    { readonly samples: number; readonly reports: number; readonly rejections: readonly Rejection[] },
  ];
  /** The client gave reports up. Drops of the same reason within one turn of the event loop come as one event. */
  dropped: [{ readonly reason: DropReason; readonly reports: number; readonly samples: number }];
}

/** Collaborators that a test may replace. */
export interface ClientDeps {
  readonly clock?: Clock;
  readonly random?: Random;
}

interface Waiter {
  readonly mark: Mark;
  readonly resolve: () => void;
}

interface RegistrationWaiter {
  readonly hostId: string;
  readonly resolve: (response: RegisterResponse) => void;
  readonly reject: (error: Error) => void;
}

/**
 * Reports to brokers: buffers, sends in numbered batches on one stream, sends again what has no outcome, fails over.
 *
 *     idle ─start▶ running ─stop▶ stopping ─▶ stopped
 *       └───────────────stop────────────────────▲
 *
 * `report` works in every state: before `start` it fills the buffer, after `stop` it drops.
 */
export class MonClient extends EventEmitter<MonClientEvents> implements AsyncDisposable {
  readonly #options: ResolvedOptions;
  readonly #clock: Clock;
  readonly #session: ReportSession;
  readonly #rotation: BrokerRotation;
  readonly #presence: Presence;
  readonly #halt = new AbortController();
  readonly #flushes = new Set<Waiter>();
  readonly #registrations = new Set<RegistrationWaiter>();
  readonly #drops = new Map<DropReason, { reports: number; samples: number }>();
  #state: ClientState = "idle";
  #broker: string | undefined;
  #link: Link | undefined;
  #running: Promise<void> = Promise.resolve();
  #stopping: Promise<void> | undefined;

  /** @throws {RangeError} for an option that is missing or out of range */
  constructor(options: ClientOptions, deps: ClientDeps = {}) {
    super();
    this.#options = resolveOptions(options);
    this.#clock = deps.clock ?? systemClock;
    this.#session = new ReportSession(this.#options);
    this.#rotation = new BrokerRotation(
      this.#options.brokers,
      this.#options.backoffMsMin,
      this.#options.backoffMsMax,
      deps.random ?? systemRandom,
    );
    this.#presence = new Presence(this.#clock);
  }

  /** Where the client is in its life. */
  get state(): ClientState {
    return this.#state;
  }

  /** The broker that is connected; undefined while none is. */
  get broker(): string | undefined {
    return this.#broker;
  }

  /** Where all reports and samples are; exact at every instant. */
  get ledger(): LedgerSnapshot {
    return this.#session.ledger;
  }

  /** Encoded bytes of the reports that are kept. */
  get bufferedBytes(): number {
    return this.#session.bufferedBytes;
  }

  /**
   * Begins to connect, and keeps at it until `stop`; returns at once. Does nothing when it runs already.
   *
   * @throws {ClientError} CLIENT_STOPPED after `stop`
   */
  start(): void {
    if (this.#state === "running") return;
    if (this.#state !== "idle") throw stopped();
    this.#state = "running";
    this.#running = this.#run();
  }

  /**
   * Takes a report, without waiting for anything. The report is encoded before this returns, so the caller may change
   * it afterwards. O(samples), and O(samples × log samples) when they come unsorted.
   *
   * @returns "buffered"; "displaced" when the buffer was full and the oldest waiting reports were dropped for this one;
   *   "dropped" when this one was: larger than a message, no room because all of the buffer is under way, or stopped
   * @throws {TypeError | RangeError} that names the field, when the report is not one; it is not counted then
   */
  report(report: ReportInput): PushResult {
    const nowMs = this.#clock.now();
    const encoded = reportBytes(report, nowMs);
    if (this.#state === "stopping" || this.#state === "stopped") {
      this.#session.turnAway(encoded.samples);
      this.#noteDrop("stopped", { reports: 1, samples: encoded.samples });
      return "dropped";
    }
    const { result, dropped } = this.#session.push(encoded, nowMs);
    if (dropped.reports > 0)
      this.#noteDrop(this.#session.fits(encoded) ? "buffer-full" : "too-large", dropped);
    if (result === "displaced") this.#resolveFlushes();
    this.#link?.wake();
    return result;
  }

  /**
   * Waits until every report taken so far has a fate: acked, rejected or dropped. Sends what lingers. Several calls may
   * wait at once.
   *
   * @throws an error named "AbortError" when the signal fires; nothing is lost by that
   */
  async flush({ signal }: { signal?: AbortSignal } = {}): Promise<void> {
    if (signal?.aborted) throw abortError(signal);
    const mark = this.#session.mark();
    this.#link?.wake();
    if (mark.remaining === 0) return;
    const { promise, resolve, reject } = Promise.withResolvers<void>();
    const waiter: Waiter = { mark, resolve };
    const onAbort = (): void => reject(abortError(signal as AbortSignal)); // It is listened to, so it is there.
    this.#flushes.add(waiter);
    signal?.addEventListener("abort", onAbort, { once: true });
    try {
      await promise;
    } finally {
      this.#flushes.delete(waiter);
      this.#session.unmark(mark);
      signal?.removeEventListener("abort", onAbort);
    }
  }

  /**
   * Tells brokers who reports for a host, on this connection and on each later one, and sends heartbeats for it at the
   * interval that the broker names. Where the broker's limits are narrower than the client's, they hold from then on.
   *
   * @returns what the broker answered; waits for a connection when there is none
   * @throws {ClientError} CLIENT_STREAM_FAILED when the broker refuses the call; CLIENT_STOPPED
   * @throws {RangeError} beyond 1,000 hosts
   * @throws an error named "AbortError" when the signal fires; the host stays remembered
   */
  async register(
    registration: Registration,
    { signal }: { signal?: AbortSignal } = {},
  ): Promise<RegisterResponse> {
    if (this.#state === "stopping" || this.#state === "stopped") throw stopped();
    if (signal?.aborted) throw abortError(signal);
    const { hostId } = registration;
    this.#presence.add(registration);
    const { promise, resolve, reject } = Promise.withResolvers<RegisterResponse>();
    const waiter: RegistrationWaiter = { hostId, resolve, reject };
    const onAbort = (): void => reject(abortError(signal as AbortSignal)); // It is listened to, so it is there.
    this.#registrations.add(waiter);
    signal?.addEventListener("abort", onAbort, { once: true });
    const broker = this.#broker;
    if (broker !== undefined) {
      this.#presence.announce(hostId).then(
        (response) => response !== undefined && this.#noteRegistered(hostId, response),
        // A call that died with its connection is made again on the next one.
        (error: unknown) => this.#broker === broker && reject(ClientError.from(error, broker)),
      );
    }
    try {
      return await promise;
    } finally {
      this.#registrations.delete(waiter);
      signal?.removeEventListener("abort", onAbort);
    }
  }

  /**
   * Takes no more reports, waits up to `stopTimeoutMs` for the fate of those it has, drops the rest and lets go of the
   * connection. Never rejects; safe in every state, and a second call waits for the first.
   */
  stop(): Promise<void> {
    this.#stopping ??= this.#stop();
    return this.#stopping;
  }

  /** Calls `stop`. */
  [Symbol.asyncDispose](): Promise<void> {
    return this.stop();
  }

  async #stop(): Promise<void> {
    const wasRunning = this.#state === "running";
    this.#state = "stopping";
    if (wasRunning) {
      const deadline = this.#clock.setTimeout(() => this.#halt.abort(), this.#options.stopTimeoutMs);
      await this.flush({ signal: this.#halt.signal }).catch(() => {}); // What is left at the deadline is dropped below.
      this.#link?.drain();
      if (this.#broker === undefined) this.#halt.abort();
      await this.#running;
      deadline.clear();
    }
    this.#halt.abort();
    const left = this.#session.abandon();
    if (left.reports > 0) this.#noteDrop("stopped", left);
    this.#resolveFlushes();
    for (const waiter of this.#registrations) waiter.reject(stopped());
    this.#state = "stopped";
  }

  /** Runs one link after another until the client stops. */
  async #run(): Promise<void> {
    const { signal } = this.#halt;
    while (!signal.aborted) {
      const broker = this.#rotation.current;
      this.#link = new Link({
        broker,
        options: this.#options,
        session: this.#session,
        clock: this.#clock,
        signal,
        onConnected: (connection) => this.#noteConnected(broker, connection),
        onSettled: (settlement) => this.#noteSettled(settlement),
      });
      const end = await this.#link.run();
      this.#link = undefined;
      this.#broker = undefined;
      this.#presence.disconnect();
      const isLast = signal.aborted || (this.#state === "stopping" && this.#session.bufferedReports === 0);
      const retryMs = isLast ? undefined : this.#rotation.retry(end.why);
      this.#noteDisconnected(broker, end, retryMs);
      if (retryMs === undefined) return;
      await this.#pause(retryMs);
    }
  }

  /** Waits, unless the client is halted. */
  async #pause(ms: number): Promise<void> {
    const { signal } = this.#halt;
    const { promise, resolve } = Promise.withResolvers<void>();
    const timer = this.#clock.setTimeout(resolve, ms);
    const onAbort = (): void => resolve();
    signal.addEventListener("abort", onAbort, { once: true });
    if (signal.aborted) resolve();
    await promise;
    timer.clear();
    signal.removeEventListener("abort", onAbort);
  }

  #noteConnected(broker: string, connection: BrokerConnection): void {
    this.#broker = broker;
    this.#tell("connected", { broker });
    this.#presence.connect(this.#callsOf(connection), (hostId, response) =>
      this.#noteRegistered(hostId, response),
    );
  }

  #callsOf(connection: BrokerConnection): PresenceCalls {
    const calls = createCalls(MonitorService, connection.transport);
    const options = { headers: this.#options.headers, timeoutMs: this.#options.ackTimeoutMs };
    return {
      register: ({ hostId, agentName, agentVersion, metadata }) =>
        calls.register({ hostId, agentName, agentVersion, metadata: { ...metadata } }, options),
      heartbeat: (hostId) => calls.heartbeat({ hostId }, options),
    };
  }

  #noteRegistered(hostId: string, response: RegisterResponse): void {
    this.#session.narrow({ samplesMax: response.samplesMax, messageBytesMax: response.messageBytesMax });
    for (const waiter of this.#registrations) {
      if (waiter.hostId === hostId) waiter.resolve(response);
    }
  }

  #noteSettled(settlement: Settlement): void {
    this.#rotation.succeed();
    const { reports, samples } = settlement.rejected;
    if (reports > 0 || samples > 0) {
      this.#tell("rejected", { reports, samples, rejections: settlement.rejections });
    }
    this.#resolveFlushes();
  }

  #noteDisconnected(broker: string, end: LinkEnd, retryMs: number | undefined): void {
    const error = this.#halt.signal.aborted ? undefined : end.error;
    this.#tell("disconnected", { broker, error, retryMs });
  }

  #noteDrop(reason: DropReason, count: Count): void {
    const pending = this.#drops.get(reason);
    if (pending !== undefined) {
      pending.reports += count.reports;
      pending.samples += count.samples;
      return;
    }
    this.#drops.set(reason, { ...count });
    setImmediate(() => {
      const total = this.#drops.get(reason) ?? count;
      this.#drops.delete(reason);
      this.emit("dropped", { reason, reports: total.reports, samples: total.samples });
    });
  }

  #resolveFlushes(): void {
    for (const waiter of this.#flushes) {
      if (waiter.mark.remaining === 0) waiter.resolve();
    }
  }

  #tell<K extends "connected" | "disconnected" | "rejected">(name: K, event: MonClientEvents[K][0]): void {
    // Narrowed to one name, the tuple type of its arguments is what `emit` wants; TypeScript does not see it through K.
    queueMicrotask(() => (this.emit as (name: K, event: unknown) => boolean).call(this, name, event));
  }
}

/**
 * Builds a client. It does nothing until `start`.
 *
 * @throws {RangeError} for an option that is missing or out of range
 * @example
 * const client = createClient({ brokers: ["http://127.0.0.1:7400"] });
 * client.start();
 * client.report({ hostId: "web-1", samples: [{ name: "queue_length", value: 3 }] });
 * await client.stop();
 */
export function createClient(options: ClientOptions, deps: ClientDeps = {}): MonClient {
  return new MonClient(options, deps);
}

function stopped(): ClientError {
  return new ClientError("CLIENT_STOPPED", "the client is stopped");
}
