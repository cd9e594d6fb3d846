import type { BatchPosition } from "./batch-log.ts";
import { type Gap, type Loss, type Neighbour, unrecordedLosses } from "./damage.ts";
import type { Database } from "./database.ts";
import type { Mark } from "./high-water.ts";
import { endOfSpace, numberOfKey, singleKey, space } from "./key.ts";
import { decodeManifest, noInstants, RecentInstants } from "./manifest.ts";
import { unseal } from "./record.ts";

/** What the sequence records of a directory say. */
export interface SequenceScan {
  readonly position: BatchPosition;
  /** Gaps that are not yet on record. */
  readonly found: readonly Loss[];
}

/** What was known before the scan. */
export interface SequenceKnowledge {
  /** As the position record has it; 1 without one. */
  readonly baseline: number;
  readonly onRecord: readonly Loss[];
  readonly highWater: Mark | undefined;
  readonly nowMs: number;
}

/** A batch as seen by the scan. */
interface Seen extends Neighbour {
  readonly sequence: number;
}

/** How far numbering goes on beyond records that cannot be read, so that no number is used twice. */
const unreadableStride = 1 << 20;

/** Checks that the batches of a directory are all there (R12). Reads every sequence record. */
export async function scanSequences(
  database: Database,
  { baseline: knownBaseline, onRecord, highWater, nowMs }: SequenceKnowledge,
): Promise<SequenceScan> {
  const recent = new RecentInstants();
  const gaps: Gap[] = [];
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
      if (sequence > expected) {
        gaps.push({ firstSequence: expected, lastSequence: sequence - 1, before: last, after: manifest });
      }
      recent.add(manifest.own);
      baseline = Math.max(baseline, manifest.baseline);
      last = { sequence, wallMs: manifest.wallMs, recent: manifest.recent };
    }
  }
  let lastSequence = Math.max(last?.sequence ?? 0, baseline - 1);
  for (const { lastSequence: lostSequence } of onRecord) lastSequence = Math.max(lastSequence, lostSequence);
  const gapTo = (end: number, after: Neighbour): void => {
    gaps.push({ firstSequence: lastSequence + 1, lastSequence: end, before: last, after });
    lastSequence = end;
  };
  if (unreadable && gaps.length === 0) {
    // What cannot be read may be the newest, and then no later batch shows the gap.
    gapTo(lastSequence + unreadableStride, { wallMs: nowMs, recent: noInstants() });
  }
  if (highWater !== undefined && highWater.sequence > lastSequence) gapTo(highWater.sequence, highWater);
  const found = gaps
    .map((gap) => ({ ...gap, firstSequence: Math.max(gap.firstSequence, baseline) }))
    .flatMap((gap) => unrecordedLosses("level", gap, onRecord));
  return { position: { lastSequence, baseline, recent }, found };
}
