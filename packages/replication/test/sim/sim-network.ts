import type { SeededRandom, SimProcess, VirtualLoop } from "@mon/raft/testing";
import type { Peer } from "../../src/index.ts";

/** What can be called. */
export interface Callee {
  readonly process: SimProcess;
  readonly server: Peer;
}

/** What happens to messages. */
export interface NetworkWeather {
  /** That a message is lost; then no reply comes. */
  readonly loss: number;
  readonly delayMsMin: number;
  /** Messages overtake each other within this. */
  readonly delayMsMax: number;
}

const calls = ["write", "read", "partitions", "manifest", "fetch", "receipt", "give"] as const;

/** Carries calls between processes, late, out of order, or not at all. */
export class SimNetwork {
  readonly #loop: VirtualLoop;
  readonly #random: SeededRandom;
  readonly #find: (nodeId: string) => Callee | undefined;
  /** Pairs "from>to" that nothing passes. */
  readonly cuts: Set<string> = new Set();
  weather: NetworkWeather = { loss: 0, delayMsMin: 1, delayMsMax: 5 };
  /** Calls so far, by name. */
  readonly counts: Map<string, number> = new Map();
  /** Told of each call when it arrives; may crash something. */
  onCall: (from: string, to: string, name: string) => void = () => {};
  /** May change a request when it arrives: for planted bugs. */
  bend: (name: string, to: string, request: unknown) => unknown = (_, __, request) => request;

  constructor(loop: VirtualLoop, random: SeededRandom, find: (nodeId: string) => Callee | undefined) {
    this.#loop = loop;
    this.#random = random;
    this.#find = find;
  }

  /** How one process reaches another member, or itself. */
  peer(from: SimProcess, to: string): Peer {
    const entries = calls.map((name) => [
      name,
      (request: unknown) => {
        this.counts.set(name, (this.counts.get(name) ?? 0) + 1);
        return from.id === to ? this.#arrive(from, to, name, request) : this.#travel(from, to, name, request);
      },
    ]);
    // Each entry has the name and the shape of the method that it stands for.
    return Object.fromEntries(entries) as Peer;
  }

  #travel(from: SimProcess, to: string, name: (typeof calls)[number], request: unknown): Promise<unknown> {
    return new Promise((resolve, reject) => {
      if (this.#isLost(from.id, to)) return;
      this.#loop.schedule(
        this.#delayMs(),
        () => {
          this.#arrive(from, to, name, request).then(
            (reply) => {
              if (this.#isLost(to, from.id)) return;
              this.#loop.schedule(this.#delayMs(), () => resolve(reply), from);
            },
            (error: unknown) => reject(error),
          );
        },
        () => this.#find(to)?.process,
      );
    });
  }

  async #arrive(
    from: SimProcess,
    to: string,
    name: (typeof calls)[number],
    request: unknown,
  ): Promise<unknown> {
    this.onCall(from.id, to, name);
    const callee = this.#find(to);
    if (callee === undefined || callee.process.state === "dead") throw new Error(`expected ${to} to listen`);
    // The request is what the caller of this name gave.
    return callee.server[name](this.bend(name, to, request) as never);
  }

  #isLost(from: string, to: string): boolean {
    return this.cuts.has(`${from}>${to}`) || this.#random.chance(this.weather.loss);
  }

  #delayMs(): number {
    return this.#random.between(this.weather.delayMsMin, this.weather.delayMsMax);
  }
}
