import { maxInstantMs } from "./key.ts";
import { type InstantRange, recentCommits } from "./manifest.ts";

/** What was acknowledged and is not there any more. Kept until the data that it can have held is past retention. */
export interface Loss {
  /**
   * What was numbered: records of the journal, or batches of LevelDB, as in format 1 always. What a damaged table of LevelDB
   * held is not numbered, and is said in `what`.
   */
  readonly of?: "journal" | "level" | "table";
  readonly firstSequence: number;
  readonly lastSequence: number;
  /** When what came before was written; 0 when that is not known. */
  readonly fromWallMs: number;
  /** When what came after was written. */
  readonly toWallMs: number;
  /** The instants that may be missing. */
  readonly startMs: number;
  readonly endMs: number;
  /** What was lost, for people, when it is known better. */
  readonly what?: string;
}

/** A commit beside a gap. */
export interface Neighbour {
  readonly wallMs: number;
  readonly recent: Readonly<InstantRange>;
}

/** A gap in a sequence and what stands beside it. */
export interface Gap {
  readonly firstSequence: number;
  readonly lastSequence: number;
  readonly before: Neighbour | undefined;
  readonly after: Neighbour;
}

/** What is known of a gap from the commits before and after it. */
function lossOf(of: "journal" | "level", { firstSequence, lastSequence, before, after }: Gap): Loss {
  const isCovered = lastSequence - firstSequence < recentCommits && after.recent.minMs <= after.recent.maxMs;
  return {
    of,
    firstSequence,
    lastSequence,
    fromWallMs: before?.wallMs ?? 0,
    toWallMs: after.wallMs,
    startMs: isCovered ? after.recent.minMs : -maxInstantMs,
    endMs: isCovered
      ? after.recent.maxMs
      : Math.max(after.wallMs, after.recent.maxMs, before?.recent.maxMs ?? 0),
  };
}

/** A gap without the numbers that are on record as lost. */
export function unrecordedLosses(of: "journal" | "level", gap: Gap, onRecord: readonly Loss[]): Loss[] {
  const known = [...onRecord].sort((a, b) => a.firstSequence - b.firstSequence);
  const found: Loss[] = [];
  let from = gap.firstSequence;
  for (const { firstSequence, lastSequence } of known) {
    if (lastSequence < from || firstSequence > gap.lastSequence) continue;
    if (firstSequence > from) {
      found.push(lossOf(of, { ...gap, firstSequence: from, lastSequence: firstSequence - 1 }));
    }
    from = lastSequence + 1;
  }
  if (from <= gap.lastSequence) found.push(lossOf(of, { ...gap, firstSequence: from }));
  return found;
}

/** Says it for people. */
export function describeLoss(loss: Loss): string {
  if (loss.what !== undefined) return loss.what;
  const noun = loss.of === "journal" ? "record" : "batch";
  const nouns = loss.of === "journal" ? "records" : "batches";
  const numbered =
    loss.firstSequence === loss.lastSequence
      ? `${noun} ${loss.firstSequence}`
      : `${nouns} ${loss.firstSequence} to ${loss.lastSequence}`;
  const where = loss.of === "journal" ? " of the journal" : "";
  const since = loss.fromWallMs === 0 ? "" : `after ${iso(loss.fromWallMs)} and `;
  const from = loss.startMs === -maxInstantMs ? "of any time" : `from ${iso(loss.startMs)}`;
  return `${numbered}${where}, written ${since}before ${iso(loss.toWallMs)}, lost; samples ${from} to ${iso(loss.endMs)} may be missing`;
}

/** Whether what was lost may have held instants of a range, both ends included. */
export function touches(loss: Loss, startMs: number, endMs: number): boolean {
  return loss.startMs <= endMs && loss.endMs >= startMs;
}

function iso(ms: number): string {
  return new Date(ms).toISOString();
}
