import {
  type ConfState,
  type Entry,
  encodeConfState,
  type HardState,
  type LogState,
  type LogStore,
} from "@mon/raft";
import type { LevelStorage } from "@mon/raft-level";

/** A membership of three. */
export const conf: ConfState = {
  voters: ["a", "b", "c"],
  learners: [],
  votersOutgoing: [],
  learnersNext: [],
};

/** An entry; every tenth one is a membership. Its data is never the same and has no zero byte. */
export function entry(index: number, term = 1, dataBytes = 40): Entry {
  const data =
    index % 10 === 0
      ? encodeConfState(conf)
      : Uint8Array.from({ length: dataBytes }, (_, i) => 1 + ((index * 31 + term * 17 + i * 7) % 255));
  return { index, term, type: index % 10 === 0 ? "config" : "command", data, timestampMs: 1_700_000_000_000 };
}

/** Entries from one index up to another, that included. */
export function entries(from: number, to: number, term = 1, dataBytes = 40): Entry[] {
  return Array.from({ length: to - from + 1 }, (_, i) => entry(from + i, term, dataBytes));
}

export function hardState(term = 1, votedFor?: string, commit = 0): HardState {
  return { term, votedFor, commit };
}

/** Appends entries without anything else. */
export async function append(
  log: LogStore,
  list: readonly Entry[],
  state: HardState = hardState(),
): Promise<void> {
  await log.append({ hardState: state, reset: undefined, entries: list });
}

/** Everything that a log holds, comparable. */
export interface Contents {
  readonly state: LogState;
  readonly entries: readonly Entry[];
}

/** Opens the log and reads all of it. */
export async function contentsOf({ log }: LevelStorage): Promise<Contents> {
  const state = await log.open();
  const { base, lastIndex } = state;
  const read =
    lastIndex === base.index ? [] : await log.entries(base.index + 1, lastIndex + 1, Number.MAX_SAFE_INTEGER);
  return { state, entries: read };
}
