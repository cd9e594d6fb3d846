import type { HostCycle } from "./host-cycle.ts";

/** Reports in the bytes that a server takes them in, ready to be sent again and again. */
export interface Batch {
  readonly reports: number;
  /** Turns the reports into the next ones. Not before the server has answered: until then Node may be writing them. */
  renew(cycle: HostCycle): void;
}

/** A batch and the lane it goes by. */
export interface Slot {
  readonly lane: Lane;
  readonly batch: Batch;
  /** When its batch was due, in milliseconds; an open load's to note. */
  dueAtMs: number;
}

/** Told of each answer: whether all of the batch was taken. */
export type Settled = (slot: Slot, isTaken: boolean) => void;

/** One way to a server, with its batches ready. */
export interface Lane {
  readonly slots: readonly Slot[];
  /** What is sent until {@link uncork} goes out together, where the protocol allows it. */
  cork(): void;
  uncork(): void;
  /** Sends a slot's batch as it is. The slot must have been settled since it was last sent. */
  send(slot: Slot): void;
}

/** The lanes of a load, over all its connections. Disposing of them ends the connections. */
export interface Lanes extends AsyncDisposable {
  readonly lanes: readonly Lane[];
  /** Rejects when the server ends a connection, or answers nonsense; never resolves. */
  readonly failure: Promise<never>;
}
