import type { NodeId } from "../entry.ts";
import { RaftError } from "../errors.ts";
import type { Message, SnapshotMessage } from "../message.ts";
import type { Identity } from "../stable-store.ts";
import type { Transport, TransportHandler } from "../transport.ts";
import type { SeededRandom } from "./seeded-random.ts";
import type { SimProcess, VirtualLoop } from "./virtual-loop.ts";

/** What a network does to what is sent. */
export interface NetworkWeather {
  /** Probability that a send is lost. */
  readonly lossRate: number;
  /** Probability that it comes twice. */
  readonly duplicateRate: number;
  /** Mean delay; delays are independent, so sends overtake each other. */
  readonly delayMsMean: number;
  /** Probability that a delay is drawn from the tail instead, up to `tailMsMax`. */
  readonly tailRate: number;
  readonly tailMsMax: number;
  /** Probability that a snapshot breaks off on its way. */
  readonly cutRate: number;
}

/** A network that does what it should. */
export const calmWeather: NetworkWeather = Object.freeze({
  lossRate: 0,
  duplicateRate: 0,
  delayMsMean: 1,
  tailRate: 0,
  tailMsMax: 0,
  cutRate: 0,
});

/** What a {@link SimNetwork} tells of the traffic on it. */
export interface NetworkObserver {
  sent(from: NodeId, messages: readonly Message[]): void;
  delivered(from: NodeId, to: NodeId, messages: readonly Message[]): void;
}

interface Endpoint {
  readonly process: SimProcess;
  readonly handler: TransportHandler;
}

/**
 * A network between simulated processes that loses, delays, doubles and reorders, and whose links can be blocked and
 * clogged one direction at a time. Bounded: beyond a number of sends under way it loses them.
 */
export class SimNetwork {
  readonly #loop: VirtualLoop;
  readonly #random: SeededRandom;
  readonly #observer: NetworkObserver;
  readonly #endpoints = new Map<NodeId, Endpoint>();
  /** How to find the process of a node when something arrives. */
  readonly #receivers = new Map<NodeId, () => SimProcess | undefined>();
  /** How often each link is blocked; partitions overlap. */
  readonly #blocked = new Map<string, number>();
  /** What waits at links that are clogged. */
  readonly #clogged = new Map<string, (() => void)[]>();
  #underWay = 0;
  weather: NetworkWeather;

  constructor(loop: VirtualLoop, random: SeededRandom, weather: NetworkWeather, observer: NetworkObserver) {
    this.#loop = loop;
    this.#random = random;
    this.weather = weather;
    this.#observer = observer;
  }

  /** The transport of a node, for as long as its process lives. */
  transport(id: NodeId, process: SimProcess): Transport {
    return {
      start: async (handler) => {
        this.#endpoints.set(id, { process, handler });
      },
      send: (to, messages) => this.#send(id, to, messages),
      sendSnapshot: (to, message, chunks, signal) =>
        this.#sendSnapshot(id, to, message, chunks, signal, process),
      stop: async () => {
        if (this.#endpoints.get(id)?.process === process) {
          this.#endpoints.delete(id);
        }
      },
    };
  }

  /** Ends a node's connections, as its process died. */
  disconnect(id: NodeId): void {
    this.#endpoints.delete(id);
  }

  /** Loses everything from one node to another, until it is unblocked as often as it was blocked. */
  block(from: NodeId, to: NodeId): void {
    const link = linkName(from, to);
    this.#blocked.set(link, (this.#blocked.get(link) ?? 0) + 1);
  }

  unblock(from: NodeId, to: NodeId): void {
    const link = linkName(from, to);
    const count = (this.#blocked.get(link) ?? 0) - 1;
    if (count > 0) {
      this.#blocked.set(link, count);
    } else {
      this.#blocked.delete(link);
    }
  }

  /** Holds everything from one node to another back, until it is unclogged. */
  clog(from: NodeId, to: NodeId): void {
    const link = linkName(from, to);
    if (!this.#clogged.has(link)) {
      this.#clogged.set(link, []);
    }
  }

  unclog(from: NodeId, to: NodeId): void {
    const link = linkName(from, to);
    const waiting = this.#clogged.get(link) ?? [];
    this.#clogged.delete(link);
    for (const release of waiting) {
      release();
    }
  }

  /** Undoes all blocking and clogging. */
  heal(): void {
    this.#blocked.clear();
    for (const link of [...this.#clogged.keys()]) {
      const waiting = this.#clogged.get(link)!;
      this.#clogged.delete(link);
      for (const release of waiting) {
        release();
      }
    }
  }

  #send(from: NodeId, to: NodeId, messages: readonly Message[]): void {
    const sender = this.#endpoints.get(from);
    if (sender === undefined) {
      return;
    }
    this.#observer.sent(from, messages);
    const random = this.#random;
    const { lossRate, duplicateRate } = this.weather;
    const lost = this.#isBlocked(from, to) || this.#underWay >= MAX_UNDER_WAY || random.chance(lossRate);
    if (lost) {
      if (random.chance(UNREACHABLE_RATE)) {
        this.#notify(sender, to);
      }
      return;
    }
    const copies = random.chance(duplicateRate) ? 2 : 1;
    for (let copy = 0; copy < copies; copy++) {
      this.#underWay++;
      this.#travel(from, to, () => {
        this.#underWay--;
        this.#deliver(from, to, sender, messages);
      });
    }
  }

  #deliver(from: NodeId, to: NodeId, sender: Endpoint, messages: readonly Message[]): void {
    const receiver = this.#endpoints.get(to);
    if (receiver === undefined) {
      this.#notify(sender, to);
      return;
    }
    if (this.#isBlocked(from, to)) {
      return;
    }
    this.#observer.delivered(from, to, messages);
    try {
      receiver.handler.receive(sender.handler.identity, messages);
    } catch (error) {
      this.#refused(error, sender, to);
    }
  }

  async #sendSnapshot(
    from: NodeId,
    to: NodeId,
    message: SnapshotMessage,
    chunks: AsyncIterable<Uint8Array>,
    signal: AbortSignal,
    process: SimProcess,
  ): Promise<void> {
    const sender = this.#endpoints.get(from);
    this.#observer.sent(from, [message]);
    const read: Uint8Array[] = [];
    for await (const chunk of chunks) {
      signal.throwIfAborted();
      read.push(chunk);
    }
    signal.throwIfAborted();
    const random = this.#random;
    const { cutRate, duplicateRate, lossRate } = this.weather;
    await new Promise<void>((resolve, reject) => {
      const fail = (cause?: unknown): void => {
        reject(new RaftError("RAFT_UNREACHABLE", `expected to reach ${to}`, { cause }));
      };
      const timer = this.#loop.schedule(SNAPSHOT_TIMEOUT_MS, fail, process);
      const abort = (): void => {
        timer.cancel();
        reject(signal.reason);
      };
      signal.addEventListener("abort", abort, { once: true });
      if (sender === undefined || this.#isBlocked(from, to) || random.chance(lossRate)) {
        return;
      }
      const { identity } = sender.handler;
      const answer = (settle: () => void): void => {
        this.#loop.schedule(this.#delayMs(), settle, process);
      };
      this.#travel(from, to, () => {
        const cutAt = random.chance(cutRate) ? random.below(read.length + 1) : read.length + 1;
        this.#receiveSnapshot(to, identity, message, read, cutAt).then(
          () => answer(resolve),
          (error) => answer(() => fail(error)),
        );
      });
      if (random.chance(duplicateRate)) {
        this.#travel(from, to, () => {
          this.#receiveSnapshot(to, identity, message, read, read.length + 1).catch(() => undefined);
        });
      }
    });
  }

  async #receiveSnapshot(
    to: NodeId,
    from: Identity,
    message: SnapshotMessage,
    chunks: readonly Uint8Array[],
    cutAt: number,
  ): Promise<void> {
    const receiver = this.#endpoints.get(to);
    if (receiver === undefined || this.#isBlocked(from.nodeId, to)) {
      throw new RaftError("RAFT_UNREACHABLE", `expected to reach ${to}`);
    }
    this.#observer.delivered(from.nodeId, to, [message]);
    await receiver.handler.receiveSnapshot(from, message, cut(chunks, cutAt));
  }

  /** Lets something arrive, in the receiver's turn. */
  #travel(from: NodeId, to: NodeId, arrive: () => void): void {
    const waiting = this.#clogged.size > 0 ? this.#clogged.get(linkName(from, to)) : undefined;
    if (waiting === undefined) {
      this.#go(to, arrive);
    } else {
      waiting.push(() => this.#go(to, arrive));
    }
  }

  #go(to: NodeId, arrive: () => void): void {
    let receiver = this.#receivers.get(to);
    if (receiver === undefined) {
      receiver = () => this.#endpoints.get(to)?.process;
      this.#receivers.set(to, receiver);
    }
    this.#loop.schedule(this.#delayMs(), arrive, receiver);
  }

  #delayMs(): number {
    const { delayMsMean, tailMsMax, tailRate } = this.weather;
    const random = this.#random;
    return random.chance(tailRate)
      ? random.next() * random.next() * tailMsMax
      : 0.1 + random.exponential(delayMsMean);
  }

  #isBlocked(from: NodeId, to: NodeId): boolean {
    return this.#blocked.size > 0 && this.#blocked.has(linkName(from, to));
  }

  #notify(sender: Endpoint, to: NodeId): void {
    this.#loop.schedule(this.#delayMs(), () => sender.handler.unreachable(to), sender.process);
  }

  #refused(error: unknown, sender: Endpoint, to: NodeId): void {
    if (!(error instanceof RaftError) || error.code === "RAFT_INVARIANT") {
      throw error;
    }
    this.#notify(sender, to);
  }
}

async function* cut(chunks: readonly Uint8Array[], cutAt: number): AsyncIterable<Uint8Array> {
  for (const [at, chunk] of chunks.entries()) {
    if (at >= cutAt) {
      throw new RaftError("RAFT_UNREACHABLE", "expected the whole snapshot, got a part");
    }
    yield chunk;
  }
}

function linkName(from: NodeId, to: NodeId): string {
  return `${from}>${to}`;
}

const MAX_UNDER_WAY = 20_000;
const UNREACHABLE_RATE = 0.3;
const SNAPSHOT_TIMEOUT_MS = 5000;
