import type { NodeId } from "../entry.ts";
import type { Random } from "../random.ts";

/** How a {@link RawNode} behaves. Plain data, but for the source of randomness. */
export interface RawNodeOptions {
  /** This node. */
  readonly id: NodeId;

  /** Draws election timeouts, so that servers do not stand in lock-step (§5.2). */
  readonly random: Random;

  /**
   * Ticks without a word from a leader before a follower stands for election; each wait is drawn from here to just
   * below twice this. Also how often a leader checks its quorum, how long a voter protects a leader it hears, and
   * how long a transfer may take. Default 10. Must be above `heartbeatTicks`; with less than five heartbeats in it,
   * a few lost messages make an election.
   */
  readonly electionTicks: number;

  /** Ticks between heartbeats. Default 1. */
  readonly heartbeatTicks: number;

  /**
   * Whether a server asks if it would be elected before it raises its term (thesis §9.6), so that one that was cut
   * off does not depose a working leader when it is back. Default true. May differ between members while it is being
   * switched.
   */
  readonly preVote: boolean;

  /**
   * Whether a leader steps down when it has not heard from a quorum for `electionTicks`, and a voter ignores
   * candidates for as long after it heard from a leader (§6, thesis §6.2). Default true. Without it a leader that is
   * cut off goes on believing in itself (reads stay right, they just never return), and removed servers disturb.
   */
  readonly checkQuorum: boolean;

  /** The largest `data` of one proposal. Default 1 MiB; what is larger is refused with RAFT_PROPOSAL_TOO_LARGE. */
  readonly maxEntryBytes: number;

  /**
   * Entries put into one message. Default 1 MiB; a single larger entry still goes. Larger messages cost a slow
   * link its heartbeats; smaller ones cost processor time.
   */
  readonly maxMessageBytes: number;

  /** Appends under way to one follower. Default 256. */
  readonly maxInflightMessages: number;

  /**
   * Bytes of entries under way to one follower. Default 8 MiB: enough for 1 Gbit/s at 60 ms round trip. What a
   * follower with a hung disk may have to keep in memory is bounded by it too.
   */
  readonly maxInflightBytes: number;

  /**
   * Bytes of proposals that a leader appends before any of them is committed. Default 64 MiB; beyond it proposals are
   * refused with RAFT_OVERLOADED, as without a quorum they would fill memory.
   */
  readonly maxUncommittedBytes: number;

  /** Committed entries handed to the state machine at once. Default 1 MiB. Decides how long one application takes. */
  readonly maxApplyBytes: number;

  /** Entries kept in memory after they are durable. Default 16 MiB. Followers further back cost reads of the disk. */
  readonly maxCachedBytes: number;

  /** Reads that wait for their confirmation on a leader. Default 65,536; beyond it RAFT_OVERLOADED. */
  readonly maxPendingReads: number;

  /**
   * Entries kept in the log before a snapshot's index. Default 10,240. A follower that is less far back gets entries;
   * one further back gets the snapshot, which is far more work.
   */
  readonly trailingEntries: number;
}

/** What a {@link RawNode} uses for options that it was not given. */
export const rawNodeDefaults: Readonly<Omit<RawNodeOptions, "id" | "random">> = Object.freeze({
  electionTicks: 10,
  heartbeatTicks: 1,
  preVote: true,
  checkQuorum: true,
  maxEntryBytes: 1 << 20,
  maxMessageBytes: 1 << 20,
  maxInflightMessages: 256,
  maxInflightBytes: 8 << 20,
  maxUncommittedBytes: 64 << 20,
  maxApplyBytes: 1 << 20,
  maxCachedBytes: 16 << 20,
  maxPendingReads: 65_536,
  trailingEntries: 10_240,
});

/** Options of which all but the node's id and the randomness may be left out. */
export type RawNodeOptionsInput = Pick<RawNodeOptions, "id" | "random"> &
  Partial<Omit<RawNodeOptions, "id" | "random">>;

/**
 * Fills in defaults and checks every field.
 *
 * @throws {TypeError} when a field has the wrong type
 * @throws {RangeError} when a number is out of its range
 */
export function resolveRawNodeOptions(input: RawNodeOptionsInput): RawNodeOptions {
  const options: RawNodeOptions = { ...rawNodeDefaults, ...input };
  const { id, electionTicks, heartbeatTicks } = options;
  if (typeof id !== "string" || id.length === 0 || id.length > 128) {
    throw new TypeError(`expected id to be 1 to 128 characters, got ${JSON.stringify(id)}`);
  }
  for (const name of ["preVote", "checkQuorum"] as const) {
    if (typeof options[name] !== "boolean") {
      throw new TypeError(`expected ${name} to be a boolean, got ${String(options[name])}`);
    }
  }
  for (const name of POSITIVE) {
    assertInteger(name, options[name], 1);
  }
  assertInteger("trailingEntries", options.trailingEntries, 0);
  assertInteger("maxCachedBytes", options.maxCachedBytes, 0);
  if (electionTicks <= heartbeatTicks) {
    throw new RangeError(
      `expected electionTicks above heartbeatTicks (${heartbeatTicks}), got ${electionTicks}`,
    );
  }
  return options;
}

const POSITIVE = [
  "electionTicks",
  "heartbeatTicks",
  "maxEntryBytes",
  "maxMessageBytes",
  "maxInflightMessages",
  "maxInflightBytes",
  "maxUncommittedBytes",
  "maxApplyBytes",
  "maxPendingReads",
] as const;

function assertInteger(name: string, value: number, min: number): void {
  if (!Number.isSafeInteger(value) || value < min) {
    throw new RangeError(`expected ${name} to be an integer of at least ${min}, got ${String(value)}`);
  }
}
