/** How a transport behaves. Times in milliseconds, sizes in bytes. */
export interface ConnectTransportOptions {
  /**
   * How long connecting may take, and then the peer's answer who it is, 5,000 each. Too low, and a peer behind a slow line
   * is never reached; too high, and one that hangs is noticed late.
   */
  readonly connectTimeoutMs?: number;
  /**
   * How long to wait at most before the first attempt after a failure, 50. The wait is drawn evenly from 0 to a bound
   * that doubles with each failure.
   */
  readonly backoffMinMs?: number;
  /** What that bound never exceeds, 1,000. Well above the election timeout, a peer that is back is found late. */
  readonly backoffMaxMs?: number;
  /** How often each side of a connection pings the other, 20,000. */
  readonly pingIntervalMs?: number;
  /** How long an answer to a ping may take before the connection is given up, 10,000. */
  readonly pingTimeoutMs?: number;
  /** How long a link stays without a message to carry, 60,000; it is opened again when there is one. */
  readonly linkIdleMs?: number;
  /** How long a connection to this node may be without a stream, 10,000. */
  readonly sessionIdleMs?: number;
  /** How old a connection to this node may get, give or take a tenth, before it is asked to go, 3,600,000. */
  readonly sessionAgeMs?: number;
  /** How long its streams may live on then, 30,000. */
  readonly sessionAgeGraceMs?: number;
  /** How long `stop` tries to send what is queued, 500. */
  readonly drainTimeoutMs?: number;
  /** Messages that may wait for one peer, 4,096. Beyond, appends with entries go first, then the oldest. */
  readonly maxQueuedMessages?: number;
  /**
   * Bytes that may wait for one peer, 16 MiB. At least what the node may have under way to a follower (its
   * `maxInflightBytes`), else it drops what it was allowed to send.
   */
  readonly maxQueuedBytes?: number;
  /** What a batch of messages may weigh before the next begins, 1 MiB. Larger batches hold heartbeats up for longer. */
  readonly maxBatchBytes?: number;
  /**
   * The largest message, 16 MiB; a larger one is not sent, and one that comes ends its stream. Must be the same on all
   * nodes, and above the node's `maxMessageBytes` and `maxEntryBytes` together.
   */
  readonly maxMessageBytes?: number;
  /** Bytes of a snapshot in one part, 256 KiB; each has a checksum. */
  readonly snapshotChunkBytes?: number;
  /** How long a sender of a snapshot may pause before it is given up, 30,000; meanwhile no other snapshot is taken. */
  readonly snapshotStallMs?: number;
  /** Calls from peers that may be open, of both kinds, 256. Beyond, they are refused with RAFT_OVERLOADED. */
  readonly maxInboundCalls?: number;
}

const KiB = 1024;
const MiB = 1024 * KiB;

/** What holds where an option is not given. */
export const defaults: Readonly<Required<ConnectTransportOptions>> = Object.freeze({
  connectTimeoutMs: 5_000,
  backoffMinMs: 50,
  backoffMaxMs: 1_000,
  pingIntervalMs: 20_000,
  pingTimeoutMs: 10_000,
  linkIdleMs: 60_000,
  sessionIdleMs: 10_000,
  sessionAgeMs: 3_600_000,
  sessionAgeGraceMs: 30_000,
  drainTimeoutMs: 500,
  maxQueuedMessages: 4_096,
  maxQueuedBytes: 16 * MiB,
  maxBatchBytes: MiB,
  maxMessageBytes: 16 * MiB,
  snapshotChunkBytes: 256 * KiB,
  snapshotStallMs: 30_000,
  maxInboundCalls: 256,
});

/** The longest delay that a timer takes. */
const timerMsMax = 2 ** 31 - 1;

const ranges: Readonly<Record<keyof ConnectTransportOptions, readonly [number, number]>> = {
  connectTimeoutMs: [1, timerMsMax],
  backoffMinMs: [1, timerMsMax],
  backoffMaxMs: [1, timerMsMax],
  pingIntervalMs: [1, timerMsMax],
  pingTimeoutMs: [1, timerMsMax],
  linkIdleMs: [1, timerMsMax],
  sessionIdleMs: [1, timerMsMax],
  // A tenth is added.
  sessionAgeMs: [1, 1_900_000_000],
  sessionAgeGraceMs: [1, timerMsMax],
  drainTimeoutMs: [0, timerMsMax],
  maxQueuedMessages: [1, 1_000_000],
  maxQueuedBytes: [KiB, 1024 * MiB],
  maxBatchBytes: [KiB, 256 * MiB],
  maxMessageBytes: [KiB, 256 * MiB],
  snapshotChunkBytes: [KiB, 4 * MiB],
  snapshotStallMs: [1, timerMsMax],
  maxInboundCalls: [1, 100_000],
};

/** Fills in the defaults. @throws {RangeError} naming the option that is out of range, with the value it got */
export function resolveOptions(options: ConnectTransportOptions = {}): Required<ConnectTransportOptions> {
  const resolved = { ...defaults, ...options };
  for (const [name, [min, max]] of Object.entries(ranges)) {
    // Object.entries forgets that the names are those of `ranges`.
    const value = resolved[name as keyof typeof ranges];
    if (Number.isInteger(value) && value >= min && value <= max) continue;
    throw new RangeError(`expected ${name} to be an integer from ${min} to ${max}, got ${value}`);
  }
  const { backoffMinMs, backoffMaxMs, maxMessageBytes, maxQueuedBytes } = resolved;
  if (backoffMinMs > backoffMaxMs) {
    throw new RangeError(
      `expected backoffMinMs of at most backoffMaxMs (${backoffMaxMs}), got ${backoffMinMs}`,
    );
  }
  if (maxMessageBytes > maxQueuedBytes) {
    throw new RangeError(
      `expected maxMessageBytes of at most maxQueuedBytes (${maxQueuedBytes}), got ${maxMessageBytes}`,
    );
  }
  return resolved;
}
