import { type RawNodeOptions, rawNodeDefaults } from "../core/options.ts";

/** How a {@link RaftNode} behaves. Times are turned into ticks of `tickMs`. */
export interface RaftNodeOptions
  extends Omit<RawNodeOptions, "id" | "random" | "electionTicks" | "heartbeatTicks"> {
  /**
   * Length of a tick. Default 100; the resolution of every other time here. A tick that comes late, because the
   * event loop was held up, is one tick, however late.
   */
  readonly tickMs: number;

  /** See {@link RawNodeOptions.heartbeatTicks}. Default 100. */
  readonly heartbeatMs: number;

  /** See {@link RawNodeOptions.electionTicks}: timeouts are drawn from here to twice this. Default 1,000. */
  readonly electionTimeoutMs: number;

  /**
   * Whether a follower hands proposals and changes to the leader. Default true; else they fail with RAFT_NOT_LEADER.
   */
  readonly forwardProposals: boolean;

  /**
   * How long a leader's word of what is committed may wait for entries to go with. Default 5; at 0 it leaves at once.
   * Half the messages of a busy cluster are such words and their answers. State machines of followers are behind by so
   * much more, but for followers that handed over a proposal or asked for a read just before.
   */
  readonly commitDelayMs: number;

  /**
   * How long a proposal or a change may take. Default 10,000. Afterwards its promise is rejected with
   * RAFT_OUTCOME_UNKNOWN; it may still be applied.
   */
  readonly proposalTimeoutMs: number;

  /** How long a read may take. Default 5,000; afterwards RAFT_TIMEOUT, and reading again is safe. */
  readonly readTimeoutMs: number;

  /** Proposals that wait for their result. Default 16,384; beyond it RAFT_OVERLOADED. */
  readonly maxPendingProposals: number;

  /** Bytes of proposals that wait for their result. Default 64 MiB; beyond it RAFT_OVERLOADED. */
  readonly maxPendingBytes: number;

  /** Messages that wait for their turn. Default 8,192; beyond it the newest are dropped, as a network does. */
  readonly maxInboxMessages: number;

  /**
   * How long one append to the log may take. Default 10,000. A node whose disk takes longer stops, as it would stop
   * with a disk that fails: a leader that cannot write makes everybody wait.
   */
  readonly appendTimeoutMs: number;

  /**
   * Entries applied after a snapshot before the next is taken. Default 8,192; 0 leaves it to
   * {@link RaftNode.snapshot}.
   */
  readonly snapshotEveryEntries: number;

  /**
   * How often members compare fingerprints of their state machines, in entries. Default 1,024; 0 for never. Every
   * fingerprint costs a call of {@link FSM.hash}.
   */
  readonly hashEveryEntries: number;
}

/** What a {@link RaftNode} uses for options that it was not given. */
export const raftNodeDefaults: Readonly<RaftNodeOptions> = Object.freeze({
  preVote: rawNodeDefaults.preVote,
  checkQuorum: rawNodeDefaults.checkQuorum,
  maxEntryBytes: rawNodeDefaults.maxEntryBytes,
  maxMessageBytes: rawNodeDefaults.maxMessageBytes,
  maxInflightMessages: rawNodeDefaults.maxInflightMessages,
  maxInflightBytes: rawNodeDefaults.maxInflightBytes,
  maxUncommittedBytes: rawNodeDefaults.maxUncommittedBytes,
  maxApplyBytes: rawNodeDefaults.maxApplyBytes,
  maxCachedBytes: rawNodeDefaults.maxCachedBytes,
  maxPendingReads: rawNodeDefaults.maxPendingReads,
  trailingEntries: rawNodeDefaults.trailingEntries,
  tickMs: 100,
  heartbeatMs: 100,
  electionTimeoutMs: 1000,
  forwardProposals: true,
  commitDelayMs: 5,
  proposalTimeoutMs: 10_000,
  readTimeoutMs: 5000,
  maxPendingProposals: 16_384,
  maxPendingBytes: 64 << 20,
  maxInboxMessages: 8192,
  appendTimeoutMs: 10_000,
  snapshotEveryEntries: 8192,
  hashEveryEntries: 1024,
});

/**
 * Fills in defaults and checks the fields that are not the core's.
 *
 * @throws {TypeError} when a field has the wrong type
 * @throws {RangeError} when a number is out of its range
 */
export function resolveRaftNodeOptions(input: Partial<RaftNodeOptions>): RaftNodeOptions {
  const options: RaftNodeOptions = { ...raftNodeDefaults, ...input };
  if (typeof options.forwardProposals !== "boolean") {
    throw new TypeError(`expected forwardProposals to be a boolean, got ${String(options.forwardProposals)}`);
  }
  for (const name of POSITIVE) {
    if (!Number.isSafeInteger(options[name]) || options[name] < 1) {
      throw new RangeError(`expected ${name} to be an integer of at least 1, got ${String(options[name])}`);
    }
  }
  for (const name of ["commitDelayMs", "snapshotEveryEntries", "hashEveryEntries"] as const) {
    if (!Number.isSafeInteger(options[name]) || options[name] < 0) {
      throw new RangeError(`expected ${name} to be an integer of at least 0, got ${String(options[name])}`);
    }
  }
  const { electionTimeoutMs, heartbeatMs, tickMs } = options;
  if (heartbeatMs < tickMs || electionTimeoutMs <= heartbeatMs) {
    throw new RangeError(
      `expected tickMs ≤ heartbeatMs < electionTimeoutMs, got ${tickMs}, ${heartbeatMs} and ${electionTimeoutMs}`,
    );
  }
  return options;
}

/** A time in ticks, rounded up. */
export function ticksOf(ms: number, { tickMs }: Pick<RaftNodeOptions, "tickMs">): number {
  return Math.ceil(ms / tickMs);
}

const POSITIVE = [
  "tickMs",
  "heartbeatMs",
  "electionTimeoutMs",
  "proposalTimeoutMs",
  "readTimeoutMs",
  "maxPendingProposals",
  "maxPendingBytes",
  "maxInboxMessages",
  "appendTimeoutMs",
] as const;
