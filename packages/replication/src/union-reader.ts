import { bucketStart } from "@mon/hashring";
import {
  type ColumnSlice,
  type Matcher,
  mergeColumns,
  type ReadRequest,
  type SeriesColumn,
  seriesKey,
  type TimeRange,
} from "@mon/store";
import { callWithin } from "./call.ts";
import type { Clock } from "./clock.ts";
import { ReplicationError } from "./errors.ts";
import type { PeerColumns, PeerReply, PeersById } from "./peer.ts";
import type { RingBook } from "./ring-book.ts";

export interface UnionReaderDeps {
  readonly book: RingBook;
  readonly peers: PeersById;
  readonly clock: Clock;
}

export interface UnionReaderOptions {
  /** How long to wait for a member, in milliseconds. Default 5,000. */
  readonly timeoutMs?: number;
  /** Buckets asked for ahead of the one that is handed out. Default 4: what is in memory grows with it. */
  readonly bucketsAhead?: number;
  /** Tries under newer and newer epochs. Default 3. */
  readonly roundsMax?: number;
}

/** What to read, of one host. */
export interface UnionReadRequest extends ReadRequest {
  /** Conditions on series that members apply, to spare the wire; besides `wants`. */
  readonly matchers?: readonly Matcher[];
}

/** What a member answered, or why it did not. */
type Answer =
  | { readonly nodeId: string; readonly reply: PeerReply<PeerColumns> }
  | { readonly nodeId: string; readonly failure: string };

/**
 * Reads what any member may hold, and folds it (R23). A slice is whole when fewer members are missing than it takes to
 * acknowledge a write: then at least one of those who have each acknowledged fragment has answered. Else its `missing`
 * names those who did not.
 */
export class UnionReader {
  readonly #deps: UnionReaderDeps;
  readonly #timeoutMs: number;
  readonly #bucketsAhead: number;
  readonly #roundsMax: number;

  constructor(deps: UnionReaderDeps, options: UnionReaderOptions = {}) {
    this.#deps = deps;
    this.#timeoutMs = options.timeoutMs ?? 5_000;
    this.#bucketsAhead = options.bucketsAhead ?? 4;
    this.#roundsMax = options.roundsMax ?? 3;
  }

  /** One slice for each bucket in which something is, or is missing; they rise in time. */
  async *read(request: UnionReadRequest): AsyncIterable<ColumnSlice> {
    const ahead: Promise<ColumnSlice>[] = [];
    const windows = this.#windows(request);
    try {
      for (;;) {
        while (ahead.length < this.#bucketsAhead) {
          const next = windows.next();
          if (next.done === true) break;
          const slice = this.#readBucket(request, next.value);
          slice.catch(() => {}); // Whoever awaits it learns of it; a reader that stops early does not.
          ahead.push(slice);
        }
        const first = ahead.shift();
        if (first === undefined) return;
        const slice = await first;
        request.signal?.throwIfAborted();
        if (slice.columns.length > 0 || slice.missing.length > 0) yield slice;
      }
    } finally {
      windows.return(undefined);
    }
  }

  *#windows({ hostId, startMs, endMs }: UnionReadRequest): Generator<TimeRange, undefined> {
    const { shardBucketMs } = this.#deps.book.topology.inForce.ring.parameters;
    for (let at = startMs; at <= endMs; ) {
      const nextMs = bucketStart(hostId, at, shardBucketMs) + shardBucketMs;
      yield { startMs: at, endMs: Math.min(nextMs - 1, endMs) };
      at = nextMs;
    }
    return undefined;
  }

  async #readBucket(request: UnionReadRequest, range: TimeRange): Promise<ColumnSlice> {
    for (let round = 1; ; round++) {
      const { epoch } = this.#deps.book;
      const { nodeIds, quorum } = this.#deps.book.topology.holders(request.hostId, range.startMs);
      const answers = await Promise.all(nodeIds.map((nodeId) => this.#ask(nodeId, epoch, request, range)));
      let isStale = false;
      for (const answer of answers) {
        if (!("reply" in answer) || answer.reply.status !== "wrongEpoch") continue;
        this.#deps.book.learn(answer.reply.rings);
        isStale = true;
      }
      const canRepeat = isStale && this.#deps.book.epoch > epoch && round < this.#roundsMax;
      if (!canRepeat) return sliceOf(range, answers, quorum, request.wants);
    }
  }

  async #ask(nodeId: string, epoch: number, request: UnionReadRequest, range: TimeRange): Promise<Answer> {
    const { clock, peers } = this.#deps;
    const { hostId, matchers } = request;
    const wanted = { epoch, hostId, ...range, ...(matchers === undefined ? {} : { matchers }) };
    try {
      return { nodeId, reply: await callWithin(clock, this.#timeoutMs, () => peers(nodeId).read(wanted)) };
    } catch (error) {
      return { nodeId, failure: ReplicationError.from(error).message };
    }
  }
}

function sliceOf(
  range: TimeRange,
  answers: readonly Answer[],
  quorum: number,
  wants: ReadRequest["wants"] = () => true,
): ColumnSlice {
  const absent: string[] = [];
  const parts = new Map<string, SeriesColumn[]>();
  let conflicts = 0;
  for (const answer of answers) {
    const lost = lossOf(answer);
    // A member that has lost something counts as one that did not answer; what it has is folded in nevertheless.
    if (lost !== undefined) absent.push(`${answer.nodeId}: ${lost}`);
    if (!("reply" in answer) || answer.reply.status !== "ok") continue;
    conflicts += answer.reply.value.conflicts;
    for (const column of answer.reply.value.columns) {
      const key = seriesKey(column.series);
      const same = parts.get(key) ?? [];
      parts.set(key, same);
      same.push(column);
    }
  }
  const columns: SeriesColumn[] = [];
  for (const same of parts.values()) {
    const merged = mergeColumns(same);
    if (!wants(merged.column.series)) continue;
    columns.push(merged.column);
    conflicts += merged.conflicts;
  }
  return { ...range, columns, conflicts, missing: absent.length < quorum ? [] : absent };
}

/** What is missing from an answer, if anything is. */
function lossOf(answer: Answer): string | undefined {
  if ("failure" in answer) return answer.failure;
  const { reply } = answer;
  switch (reply.status) {
    case "ok":
      return reply.value.missing.length > 0 ? reply.value.missing.join("; ") : undefined;
    case "wrongEpoch":
      return `is on epoch ${reply.epoch}`;
    case "unavailable":
      return reply.reason;
    default:
      return reply satisfies never;
  }
}
