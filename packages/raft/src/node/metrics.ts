/** Counts since the node was made, unless said otherwise. */
export interface RaftMetrics {
  proposals: number;
  /** Proposals, reads and changes that were turned away because too many waited. */
  overloads: number;
  reads: number;
  ticks: number;
  /** Turns of work. */
  pumps: number;
  messagesSent: number;
  messagesReceived: number;
  /** Dropped because the queue was full. */
  messagesDropped: number;
  /** Refused because of what they said or who sent them. */
  messagesRefused: number;
  /** Synced batches written to the log store, and what was in them. */
  appends: number;
  appendedEntries: number;
  /** Longest append, in milliseconds. */
  appendMsMax: number;
  appliedEntries: number;
  /** Longest application, in milliseconds. */
  applyMsMax: number;
  snapshotsTaken: number;
  snapshotsSent: number;
  snapshotsInstalled: number;
  snapshotsFailed: number;
  /** State machines that differed and were replaced. */
  rebuilds: number;
  /** Longest delay of a tick beyond its time, in milliseconds: how long the event loop was held up. */
  tickDelayMsMax: number;
}

/** Metrics of a node that has done nothing. */
export function createMetrics(): RaftMetrics {
  return {
    proposals: 0,
    overloads: 0,
    reads: 0,
    ticks: 0,
    pumps: 0,
    messagesSent: 0,
    messagesReceived: 0,
    messagesDropped: 0,
    messagesRefused: 0,
    appends: 0,
    appendedEntries: 0,
    appendMsMax: 0,
    appliedEntries: 0,
    applyMsMax: 0,
    snapshotsTaken: 0,
    snapshotsSent: 0,
    snapshotsInstalled: 0,
    snapshotsFailed: 0,
    rebuilds: 0,
    tickDelayMsMax: 0,
  };
}
