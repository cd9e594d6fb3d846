import type { NodeId } from "../entry.ts";
import type { AppendMessage, Message, SnapshotMessage } from "../message.ts";
import type { Timer } from "./clock.ts";
import type { Engine } from "./engine.ts";

/**
 * Hands messages to the transport, those to one peer together, and snapshots beside them.
 *
 * Word of what is committed waits for entries to go with, for a little: where proposers wait for their results, the
 * next proposals come just then, and a message and its answer for each peer are half of what an append costs. Peers
 * that wait for it themselves, having handed over a proposal or asked for a read, get it at once.
 */
export class Courier {
  readonly #engine: Engine;
  /** Appends without entries that wait, at most one for each peer. */
  readonly #held = new Map<NodeId, AppendMessage>();
  /** When peers last asked for something, in ticks. */
  readonly #askedAt = new Map<NodeId, number>();
  #timer: Timer | undefined;

  constructor(engine: Engine) {
    this.#engine = engine;
  }

  send(messages: readonly Message[]): void {
    const { metrics } = this.#engine;
    const batches = new Map<NodeId, Message[]>();
    for (const message of messages) {
      if (message.type === "snapshot") {
        metrics.messagesSent++;
        this.#engine.run(() => this.carry(message));
        continue;
      }
      if (message.type === "append") {
        if (this.#mayWait(message)) {
          this.#hold(message);
          continue;
        }
        // What was held says less, and loses nothing but itself: to the core it is a message that was lost.
        this.#held.delete(message.to);
      }
      const batch = batches.get(message.to);
      if (batch === undefined) {
        batches.set(message.to, [message]);
      } else {
        batch.push(message);
      }
    }
    for (const [to, batch] of batches) {
      this.#hand(to, batch);
    }
  }

  /** Sends a snapshot with its bytes and tells the core how that went. Never rejects. */
  async carry(message: SnapshotMessage): Promise<void> {
    const engine = this.#engine;
    const { snapshots, transport } = engine.deps;
    const chunks = snapshots.open(message.snapshot);
    let ok = true;
    try {
      await transport.sendSnapshot(message.to, message, chunks, engine.signal);
      engine.metrics.snapshotsSent++;
    } catch (error) {
      ok = false;
      engine.metrics.snapshotsFailed++;
      engine.degrade(error, message.to);
    }
    engine.input(() => engine.raw.reportSnapshot(message.to, ok));
  }

  /** Takes note that a peer waits for something to be committed. */
  asked(peer: NodeId): void {
    this.#askedAt.set(peer, this.#engine.ticks);
    const held = this.#held.get(peer);
    if (held !== undefined) {
      this.#held.delete(peer);
      this.#hand(peer, [held]);
    }
  }

  /** Sends nothing more that waits. */
  stop(): void {
    this.#timer?.cancel();
    this.#held.clear();
  }

  #mayWait({ entries, to }: AppendMessage): boolean {
    const { options, ticks } = this.#engine;
    const askedAt = this.#askedAt.get(to) ?? Number.NEGATIVE_INFINITY;
    return entries.length === 0 && options.commitDelayMs > 0 && ticks - askedAt > ASKING_TICKS;
  }

  #hold(message: AppendMessage): void {
    const { deps, options } = this.#engine;
    this.#held.set(message.to, message);
    this.#timer ??= deps.clock.setTimeout(() => {
      this.#timer = undefined;
      const held = [...this.#held];
      this.#held.clear();
      for (const [to, each] of held) {
        this.#hand(to, [each]);
      }
    }, options.commitDelayMs);
  }

  #hand(to: NodeId, messages: readonly Message[]): void {
    const { deps, metrics } = this.#engine;
    metrics.messagesSent += messages.length;
    deps.transport.send(to, messages);
  }
}

/** How long a peer counts as waiting after it asked: at least one tick, at most two. */
const ASKING_TICKS = 1;
