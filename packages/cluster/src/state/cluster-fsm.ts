import { hash } from "node:crypto";
import type { Entry, FSM, FsmSnapshot } from "@mon/raft";
import { applyCommand } from "./apply-command.ts";
import { type ClusterState, decodeState, emptyClusterState, encodeState } from "./cluster-state.ts";
import { commandVersion, decodeCommand } from "./command.ts";
import { ClusterRefusal, type RefusalCode } from "./refusal.ts";

/** What became of a command. */
export type ClusterOutcome =
  | { readonly ok: true; readonly state: ClusterState }
  | { readonly ok: false; readonly code: RefusalCode; readonly reason: string };

/** The cluster's state as a state machine for `@mon/raft`. */
export class ClusterFsm implements FSM<ClusterOutcome> {
  #state: ClusterState = emptyClusterState;
  readonly #changed: (state: ClusterState) => void;

  /** @param changed - called with each new state; must not throw */
  constructor(changed: (state: ClusterState) => void = () => {}) {
    this.#changed = changed;
  }

  /** What this member knows; others may be ahead. */
  get state(): ClusterState {
    return this.#state;
  }

  /** @throws {Error} for a command of a newer version: this member must be upgraded before it can go on */
  apply(entries: readonly Entry[]): readonly ClusterOutcome[] {
    const before = this.#state;
    const outcomes = entries.map(({ data }) => this.#applyOne(data));
    if (this.#state !== before) this.#changed(this.#state);
    return outcomes;
  }

  #applyOne(data: Uint8Array): ClusterOutcome {
    const decoded = decodeCommand(data);
    switch (decoded.is) {
      case "newer":
        throw new Error(
          `expected a command of version ${commandVersion} at most, got ${decoded.version}: a newer broker wrote it, upgrade this one`,
        );
      case "malformed":
        return { ok: false, code: "CLUSTER_MALFORMED", reason: decoded.reason };
      case "command":
        try {
          this.#state = applyCommand(this.#state, decoded.command);
          return { ok: true, state: this.#state };
        } catch (error) {
          if (!(error instanceof ClusterRefusal)) throw error;
          return { ok: false, code: error.code, reason: error.message };
        }
      default:
        return decoded satisfies never;
    }
  }

  snapshot(): FsmSnapshot {
    const state = this.#state;
    return { chunks: () => [encodeState(state)] };
  }

  async restore(chunks: AsyncIterable<Uint8Array>): Promise<void> {
    const parts: Uint8Array[] = [];
    for await (const chunk of chunks) parts.push(chunk);
    this.#state = decodeState(Buffer.concat(parts));
    this.#changed(this.#state);
  }

  /** The first 16 hexadecimal digits of SHA-256 over the state's image. */
  hash(): string {
    return hash("sha256", encodeState(this.#state)).slice(0, 16);
  }
}
