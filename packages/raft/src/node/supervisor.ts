import { RaftError, type RaftErrorCode } from "../errors.ts";
import type { Clock, Timer } from "./clock.ts";
import { Emitter } from "./events.ts";
import type { RaftNode } from "./raft-node.ts";

/** How a {@link RaftSupervisor} behaves. */
export interface RaftSupervisorOptions<Result> {
  /**
   * Makes a node over the same storage, with stores that are not open and a new state machine. Called for every
   * attempt. Listeners belong on the node before it is returned.
   */
  readonly create: () => RaftNode<Result>;
  readonly clock: Clock;
  /**
   * Wait before the first attempt after a failure, doubled with each further one until a node has run for
   * `backoffMsMax`. Default 500.
   */
  readonly backoffMsMin?: number;
  /** The longest wait. Default 30,000. */
  readonly backoffMsMax?: number;
}

/** What a {@link RaftSupervisor} tells. */
export interface RaftSupervisorEvents {
  /** A node runs. */
  started: Record<string, never>;
  /** The node failed, and another one is made after a while. */
  retrying: { readonly error: RaftError; readonly delayMs: number };
  /** The node failed in a way that trying again does not mend. */
  gaveUp: { readonly error: RaftError };
}

/**
 * Keeps a node running over a disk that fails and recovers: a full disk that gets room, a volume that comes back.
 *
 * The failed write itself is never repeated. The node that saw it is gone with all it had in memory; the next one
 * reads what the disk really has.
 */
export class RaftSupervisor<Result = unknown> {
  readonly #options: Required<RaftSupervisorOptions<Result>>;
  readonly #events: Emitter<RaftSupervisorEvents>;
  #node: RaftNode<Result> | undefined;
  #failures = 0;
  /** When the present node began to run; undefined while none has. */
  #startedAt: number | undefined;
  #timer: Timer | undefined;
  #stopped = false;
  #attempt: Promise<void> | undefined;

  constructor(options: RaftSupervisorOptions<Result>) {
    this.#options = { backoffMsMin: 500, backoffMsMax: 30_000, ...options };
    this.#events = new Emitter((error) => {
      options.clock.setImmediate(() => {
        throw error;
      });
    });
  }

  /** The node that runs; undefined between two. */
  get node(): RaftNode<Result> | undefined {
    return this.#node?.state === "running" ? this.#node : undefined;
  }

  /** Adds a listener; the function that is returned takes it away again. */
  on<Name extends keyof RaftSupervisorEvents>(
    name: Name,
    listener: (event: RaftSupervisorEvents[Name]) => void,
  ): () => void {
    return this.#events.on(name, listener);
  }

  /**
   * Makes the first node.
   *
   * @throws {RaftError} what its `start` throws, when trying again would not help; else it is tried again
   */
  async start(): Promise<void> {
    const error = await this.#try();
    if (error !== undefined && !RETRYABLE.has(error.code)) {
      throw error;
    }
  }

  /** Stops the node and all attempts. Idempotent. */
  async stop(): Promise<void> {
    this.#stopped = true;
    this.#timer?.cancel();
    await this.#attempt;
    await this.#node?.stop();
  }

  [Symbol.asyncDispose](): Promise<void> {
    return this.stop();
  }

  async #try(): Promise<RaftError | undefined> {
    const node = this.#options.create();
    this.#node = node;
    this.#startedAt = undefined;
    node.on("failed", ({ error }) => this.#failed(node, error));
    try {
      await node.start();
      this.#startedAt = this.#options.clock.now();
      this.#events.emit("started", {});
      return undefined;
    } catch (error) {
      const failure = RaftError.from(error);
      this.#failed(node, failure);
      return failure;
    }
  }

  #failed(node: RaftNode<Result>, error: RaftError): void {
    if (this.#stopped || node !== this.#node) {
      return;
    }
    this.#node = undefined;
    if (!RETRYABLE.has(error.code)) {
      this.#events.emit("gaveUp", { error });
      return;
    }
    const { backoffMsMax, backoffMsMin, clock } = this.#options;
    // Starting is no proof of health: a full disk can be read.
    if (this.#startedAt !== undefined && clock.now() - this.#startedAt > backoffMsMax) {
      this.#failures = 0;
    }
    const delayMs = Math.min(backoffMsMax, backoffMsMin * 2 ** this.#failures);
    this.#failures++;
    this.#timer = clock.setTimeout(() => {
      this.#attempt = this.#retry(node);
    }, delayMs);
    this.#events.emit("retrying", { error, delayMs });
  }

  async #retry(failed: RaftNode<Result>): Promise<void> {
    // Its stores may still be closing; a hung one is not waited for, and shows as a lock.
    await failed.stop().catch(() => undefined);
    if (!this.#stopped) {
      await this.#try();
    }
  }
}

/** What a disk may get over. A lock may be that of the node before, whose store hangs. */
const RETRYABLE: ReadonlySet<RaftErrorCode> = new Set([
  "RAFT_STORAGE_FAILED",
  "RAFT_STORAGE_HUNG",
  "RAFT_STORAGE_LOCKED",
]);
