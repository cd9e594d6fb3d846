import type { LogIndex, NodeId, Term } from "./entry.ts";

/** What a server must find again after a crash, besides its log (Figure 2, "persistent state"). */
export interface HardState {
  /** Latest term the server has seen. Never falls. */
  readonly term: Term;
  /** The candidate that got the server's vote in `term`, if any. Within a term it changes once, from undefined. */
  readonly votedFor: NodeId | undefined;
  /**
   * A lower bound of what is committed; at most the last index that is durable with it. Only a help at restart: it
   * may lag behind the truth by any amount.
   */
  readonly commit: LogIndex;
}

/** The hard state of a server that has never run. */
export const initialHardState: HardState = Object.freeze({ term: 0, votedFor: undefined, commit: 0 });
