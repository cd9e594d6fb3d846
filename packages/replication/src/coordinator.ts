import type { Fragment, WriteFate } from "@mon/store";
import { callWithin } from "./call.ts";
import type { Clock } from "./clock.ts";
import { ReplicationError } from "./errors.ts";
import type { PeersById } from "./peer.ts";
import { PeerBudgets } from "./peer-budget.ts";
import type { RingBook } from "./ring-book.ts";
import { Tally } from "./tally.ts";

export interface CoordinatorDeps {
  readonly book: RingBook;
  readonly peers: PeersById;
  /** Whether a member is thought to answer, this broker included; by the failure detector. */
  readonly isLive: (nodeId: string) => boolean;
  readonly clock: Clock;
}

export interface CoordinatorOptions {
  /** How long to wait for a peer, in milliseconds. Default 5,000. */
  readonly timeoutMs?: number;
  /** Bytes under way to one peer at most; what is beyond fails for that peer at once. Default 8 MiB. */
  readonly peerBytesMax?: number;
  /** Rounds under newer and newer epochs before the caller is asked to come again. Default 3. */
  readonly roundsMax?: number;
  /** What callers are told to wait before they come again, in milliseconds. Default 1,000. */
  readonly retryDelayMs?: number;
}

/**
 * Writes fragments in as many copies as there are to be (R21): to the first live members of each one's preference list,
 * in parallel, acknowledged as soon as a majority has it on disk. A round counts under one epoch only; when a peer is on
 * a newer one, the round is repeated under that (R22). Nothing is queued here: what cannot be sent fails, retryably.
 */
export class Coordinator {
  readonly #deps: CoordinatorDeps;
  readonly #timeoutMs: number;
  readonly #roundsMax: number;
  readonly #retryDelayMs: number;
  readonly #budgets: PeerBudgets;

  constructor(deps: CoordinatorDeps, options: CoordinatorOptions = {}) {
    this.#deps = deps;
    this.#timeoutMs = options.timeoutMs ?? 5_000;
    this.#roundsMax = options.roundsMax ?? 3;
    this.#retryDelayMs = options.retryDelayMs ?? 1_000;
    this.#budgets = new PeerBudgets(options.peerBytesMax ?? 8 * 1024 * 1024);
  }

  /**
   * Writes fragments. Never rejects for what becomes of one of them.
   *
   * @param fragments - not to be changed until `timeoutMs` after this has resolved: late peers are still sent them
   * @returns one fate for each, in order, as `MetricStore.write` gives them; `copies` is what was reached by then
   */
  async write(fragments: readonly Fragment[]): Promise<readonly WriteFate[]> {
    const fates: (WriteFate | undefined)[] = fragments.map(() => undefined);
    let open = fragments.map((_, index) => index);
    for (let round = 0; round < this.#roundsMax && open.length > 0; round++) {
      const outcomes = await this.#round(open.map((index) => fragments[index]!));
      for (const [at, index] of open.entries()) fates[index] = outcomes[at];
      open = open.filter((index) => fates[index] === undefined);
    }
    return fates.map((fate) => fate ?? this.#retry("expected an epoch that holds, got newer and newer ones"));
  }

  /** Sends fragments once. Resolves when all are decided, whoever is still to answer. */
  #round(fragments: readonly Fragment[]): Promise<(WriteFate | undefined)[]> {
    const { book, isLive } = this.#deps;
    const { topology } = book;
    const { copies, quorum } = topology.forWrites;
    const tallies: Tally[] = [];
    const byTarget = new Map<string, number[]>();
    for (const [index, { hostId, timestampMs }] of fragments.entries()) {
      const targets = topology.targets(hostId, timestampMs, isLive);
      tallies.push(new Tally(targets?.length ?? 1, quorum));
      if (targets === undefined)
        tallies[index]!.add(this.#retry(`expected ${copies} live members, got fewer`));
      for (const target of targets ?? []) {
        const mine = byTarget.get(target) ?? [];
        byTarget.set(target, mine);
        mine.push(index);
      }
    }
    return new Promise((resolve) => {
      let isOver = false;
      const look = (): void => {
        if (isOver || !tallies.every(({ isDecided }) => isDecided)) return;
        isOver = true;
        resolve(tallies.map(({ fate }) => fate));
      };
      for (const [target, indices] of byTarget) {
        const parts = indices.map((index) => ({ fragment: fragments[index]!, tally: tallies[index]! }));
        void this.#send(target, topology.epoch, parts).then(look);
      }
      look();
    });
  }

  /** Sends a peer its fragments, and notes what became of each. Never rejects. */
  async #send(
    target: string,
    epoch: number,
    parts: readonly { fragment: Fragment; tally: Tally }[],
  ): Promise<void> {
    const bytes = parts.reduce((sum, { fragment }) => sum + fragment.bytes.length, 0);
    if (!this.#budgets.take(target, bytes)) {
      for (const { tally } of parts)
        tally.add(this.#retry(`expected ${target} to keep up, got too slow an answer`));
      return;
    }
    const { book, clock, peers } = this.#deps;
    try {
      const fragments = parts.map(({ fragment }) => fragment);
      const reply = await callWithin(clock, this.#timeoutMs, () => peers(target).write({ epoch, fragments }));
      if (reply.status === "wrongEpoch") book.learn(reply.rings);
      for (const [index, { tally }] of parts.entries()) {
        if (reply.status === "ok")
          tally.add(reply.value[index] ?? this.#retry(`expected a fate from ${target}`));
        else if (reply.status === "wrongEpoch") tally.addStale();
        else tally.add(this.#retry(`${target}: ${reply.reason}`));
      }
    } catch (error) {
      const { message } = ReplicationError.from(error);
      for (const { tally } of parts) tally.add(this.#retry(`${target}: ${message}`));
    } finally {
      this.#budgets.giveBack(target, bytes);
    }
  }

  #retry(reason: string): WriteFate {
    return { status: "retry", reason, retryDelayMs: this.#retryDelayMs };
  }
}
