import { type LostBatches, lostBatches, type Neighbour } from "./damage.ts";
import type { Database } from "./database.ts";
import type { HighWater } from "./high-water.ts";
import type { JournalPosition } from "./journal.ts";
import { endOfSpace, numberOfKey, singleKey, space } from "./key.ts";
import { decodeManifest, type HostRange, noInstants, RecentInstants, widen } from "./manifest.ts";
import { unseal } from "./record.ts";

/** What the sequence records of a directory say. */
export interface SequenceScan {
  readonly position: JournalPosition;
  /** Gaps that are not yet on record. */
  readonly lost: readonly LostBatches[];
  /** What batches after the checkpoint wrote, in order. */
  readonly uncovered: readonly Readonly<HostRange>[];
}

/** A batch as seen by the scan. */
interface Seen extends Neighbour {
  readonly sequence: number;
}

/** What was known before the scan. */
export interface SequenceKnowledge {
  /** As the checkpoint has it; 1 without one. */
  readonly baseline: number;
  /** The last sequence that the checkpoint covers; 0 without one. */
  readonly covered: number;
  readonly onRecord: readonly LostBatches[];
  readonly highWater: HighWater | undefined;
  readonly nowMs: number;
}

/** How far numbering goes on beyond records that cannot be read, so that no number is used twice. */
const unreadableStride = 1 << 20;

/** Checks that the batches of a directory are all there (R12). Reads every sequence record. */
export async function scanSequences(
  database: Database,
  { baseline: knownBaseline, covered, onRecord, highWater, nowMs }: SequenceKnowledge,
): Promise<SequenceScan> {
  const recent = new RecentInstants();
  const uncovered: Readonly<HostRange>[] = [];
  const gaps: { first: number; last: number; before: Seen | undefined; after: Neighbour }[] = [];
  let baseline = knownBaseline;
  let last: Seen | undefined;
  let unreadable = false;
  const range = { gte: singleKey(space.sequence), lt: endOfSpace(space.sequence) };
  const onDamage = (): void => {
    unreadable = true;
  };
  for await (const entries of database.scan(range, { onDamage })) {
    for (const [key, value] of entries) {
      const sequence = numberOfKey(key);
      const payload = unseal(key, value);
      if (sequence === undefined || payload === undefined) {
        // It leaves a gap like one that is gone.
        unreadable = true;
        continue;
      }
      const manifest = decodeManifest(payload);
      const expected = (last?.sequence ?? 0) + 1;
      if (sequence > expected)
        gaps.push({ first: expected, last: sequence - 1, before: last, after: manifest });
      const instants = noInstants();
      for (const host of manifest.hosts) widen(instants, host);
      recent.add(instants);
      if (sequence > covered) uncovered.push(...manifest.hosts);
      baseline = Math.max(baseline, manifest.baseline);
      last = { sequence, wallMs: manifest.wallMs, recent: manifest.recent };
    }
  }
  let lastSequence = Math.max(last?.sequence ?? 0, baseline - 1);
  for (const { lastSequence: lostSequence } of onRecord) lastSequence = Math.max(lastSequence, lostSequence);
  if (unreadable && gaps.length === 0) {
    // What cannot be read may be the newest, and then no later batch shows the gap.
    const after = { wallMs: nowMs, recent: noInstants() };
    gaps.push({ first: lastSequence + 1, last: lastSequence + unreadableStride, before: last, after });
    lastSequence += unreadableStride;
  }
  if (highWater !== undefined && highWater.sequence > lastSequence) {
    gaps.push({ first: lastSequence + 1, last: highWater.sequence, before: last, after: highWater });
    lastSequence = highWater.sequence;
  }
  const lost = gaps.flatMap(({ first, last: gapEnd, before, after }) =>
    without(Math.max(first, baseline), gapEnd, onRecord).map(([from, to]) =>
      lostBatches(from, to, before, after),
    ),
  );
  return { position: { lastSequence, baseline, recent }, lost, uncovered };
}

/** A range of sequences without those that are on record as lost. */
function without(first: number, last: number, onRecord: readonly LostBatches[]): [number, number][] {
  const known = [...onRecord].sort((a, b) => a.firstSequence - b.firstSequence);
  const left: [number, number][] = [];
  let from = first;
  for (const { firstSequence, lastSequence } of known) {
    if (lastSequence < from || firstSequence > last) continue;
    if (firstSequence > from) left.push([from, firstSequence - 1]);
    from = lastSequence + 1;
  }
  if (from <= last) left.push([from, last]);
  return left;
}
