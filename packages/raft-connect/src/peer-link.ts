import { type Message, RaftError, type Random, type Timer } from "@mon/raft";
import { Backoff } from "./backoff.ts";
import { messageBytesMax } from "./batch.ts";
import { Outbox } from "./outbox.ts";
import { OutgoingExchange, type PeerDeps } from "./outgoing-exchange.ts";

/** What happens on a link, for the transport. */
export interface LinkObserver {
  /** Messages were lost, or probably were. */
  lost(): void;
  /** A connection failed, or was refused. */
  failed(error: RaftError): void;
}

/**
 * The way from this node to one peer: an outbox, and an exchange that empties it whenever there is something to send.
 *
 *     idle ─▶ waiting ─▶ active ─▶ idle          any ─▶ stopped
 *
 * When an attempt fails, all that waits is lost with it: by the time of the next it would be old. What comes meanwhile
 * goes with the next attempt, which is made only then; so nobody knocks for ever at a node that is gone.
 */
export class PeerLink {
  readonly #deps: PeerDeps;
  readonly #observer: LinkObserver;
  readonly #outbox: Outbox;
  readonly #backoff: Backoff;
  #state:
    | { readonly kind: "idle" | "stopped" }
    | { readonly kind: "waiting"; readonly timer: Timer }
    | { readonly kind: "active"; readonly exchange: OutgoingExchange; readonly ended: Promise<void> } = {
    kind: "idle",
  };
  /** No attempt before this. */
  #notBeforeMs = 0;
  #lost = 0;

  constructor(deps: PeerDeps, random: Random, observer: LinkObserver) {
    const { options } = deps;
    this.#deps = deps;
    this.#observer = observer;
    this.#outbox = new Outbox(options);
    this.#backoff = new Backoff(options.backoffMinMs, options.backoffMaxMs, random);
  }

  /** Where the peer is. */
  get url(): string {
    return this.#deps.url;
  }

  get isOpen(): boolean {
    return this.#state.kind === "active" && this.#state.exchange.openedAtMs !== undefined;
  }

  get queuedMessages(): number {
    return this.#outbox.size;
  }

  get queuedBytes(): number {
    return this.#outbox.bytes;
  }

  /** Messages that never left; those that were under way when a connection broke are not among them. */
  get lostMessages(): number {
    return this.#lost;
  }

  /** Queues messages. Never throws, never waits. */
  send(messages: readonly Message[]): void {
    if (this.#state.kind === "stopped") return;
    const lost = messages.reduce((sum, message) => sum + this.#push(message), 0);
    if (this.#state.kind === "active") this.#state.exchange.wake();
    if (this.#state.kind === "idle" && this.#outbox.size > 0) this.#schedule();
    if (lost === 0) return;
    this.#lost += lost;
    this.#observer.lost();
  }

  /** Tries to send what is queued where there is a connection, and ends. Nothing is observed afterwards. */
  async stop(): Promise<void> {
    const state = this.#state;
    this.#state = { kind: "stopped" };
    if (state.kind === "waiting") state.timer.cancel();
    if (state.kind !== "active") return;
    state.exchange.finish("after the queue");
    await state.ended;
  }

  /** @returns how many messages were lost */
  #push(message: Message): number {
    const { options, peer } = this.#deps;
    const bytes = messageBytesMax(message);
    if (bytes <= options.maxMessageBytes) return this.#outbox.push(message, bytes);
    const text = `expected a message to ${peer} of at most ${options.maxMessageBytes} bytes, got ${bytes}`;
    this.#observer.failed(new RaftError("RAFT_PROPOSAL_TOO_LARGE", text));
    return 1;
  }

  #schedule(): void {
    const { clock, options } = this.#deps;
    const leftMs = this.#notBeforeMs - clock.now();
    if (leftMs <= 0) {
      this.#connect();
      return;
    }
    // Clocks are set back sometimes.
    const timer = clock.setTimeout(() => this.#connect(), Math.min(leftMs, options.backoffMaxMs));
    this.#state = { kind: "waiting", timer };
  }

  #connect(): void {
    const exchange = new OutgoingExchange(this.#deps, this.#outbox);
    const ended = exchange.run().then(
      () => this.#ended(exchange, undefined),
      (error: RaftError) => this.#ended(exchange, error),
    );
    this.#state = { kind: "active", exchange, ended };
  }

  #ended({ openedAtMs }: OutgoingExchange, error: RaftError | undefined): void {
    if (this.#state.kind === "stopped") return;
    const { clock, options } = this.#deps;
    const nowMs = clock.now();
    // A peer that answers and then refuses was not reached.
    if (openedAtMs !== undefined && nowMs - openedAtMs >= options.backoffMaxMs) this.#backoff.reset();
    this.#notBeforeMs = nowMs + this.#backoff.next();
    this.#state = { kind: "idle" };
    if (error !== undefined) {
      this.#lost += this.#outbox.clear();
      this.#observer.failed(error);
      this.#observer.lost();
    }
    // What is left of a link that ended in good order, and what an observer sent.
    if (this.#outbox.size > 0 && this.#state.kind === "idle") this.#schedule();
  }
}
