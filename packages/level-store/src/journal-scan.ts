import { readFile } from "node:fs/promises";
import { type Gap, type Loss, type Neighbour, unrecordedLosses } from "./damage.ts";
import type { Mark } from "./high-water.ts";
import type { JournalPosition } from "./journal.ts";
import { type FileHead, fileHeadBytes, fileHeadOf, type JournalFile, seedOf } from "./journal-file.ts";
import type { JournalFiles } from "./journal-files.ts";
import { aligned, alignment, type RecordHead, recordHeadAt, recordHeadBytes } from "./journal-record.ts";
import { viewOf } from "./key.ts";
import { type InstantRange, noInstants, RecentInstants } from "./manifest.ts";

/** A record that was found in a file. */
export interface FoundRecord {
  readonly start: number;
  readonly head: RecordHead;
}

/** A file with records that are not in chunks yet. */
export interface FoundFile {
  readonly file: JournalFile;
  readonly head: FileHead;
  readonly bytes: Uint8Array;
  /** By sequence; those that are in chunks are left out. */
  readonly records: readonly FoundRecord[];
  /** Where the next record would go. */
  readonly end: number;
}

/** What the files of a journal hold. */
export interface JournalScan {
  /** By sequence; the last may have no record. */
  readonly files: readonly FoundFile[];
  /** Gaps that are not yet on record. */
  readonly found: readonly Loss[];
  readonly position: JournalPosition;
  /** The greatest ordinal of a file. */
  readonly lastOrdinal: number;
}

/** What was known before the scan. */
export interface JournalKnowledge {
  /** Records up to this sequence are in chunks. */
  readonly settled: number;
  readonly onRecord: readonly Loss[];
  readonly highWater: Mark | undefined;
  /** Records beyond this sequence were never acknowledged, and what is in the files of them does not count. */
  readonly acknowledged: number | undefined;
}

interface ReadFile {
  readonly file: JournalFile;
  readonly head: FileHead;
  readonly bytes: Uint8Array;
}

/**
 * Reads the files of a journal and checks that all records are there (R12). A record whose checksum does not hold is the
 * torn end of a write that was never acknowledged when no record follows it; else it is damage. Files without records
 * that are still needed are given back.
 *
 * @throws {StoreError} STORE_VERSION_UNKNOWN
 */
export async function scanJournal(files: JournalFiles, known: JournalKnowledge): Promise<JournalScan> {
  const read: ReadFile[] = [];
  for (const file of files.all) {
    const bytes = await readFile(file.path);
    const head = fileHeadOf(bytes, file.path);
    if (head === undefined) files.release(file);
    else read.push({ file, head, bytes });
  }
  read.sort((a, b) => a.head.ordinal - b.head.ordinal);
  const acknowledged = known.acknowledged ?? Number.POSITIVE_INFINITY;
  const scan = new Scan(known.settled);
  const found: FoundFile[] = [];
  for (const [index, { file, head, bytes }] of read.entries()) {
    const limit = Math.min(read[index + 1]?.head.firstSequence ?? Number.POSITIVE_INFINITY, acknowledged + 1);
    const { records, end } = recordsOf(bytes, head, limit);
    const unsettled = records.filter((record) => record.head.sequence > known.settled);
    for (const record of unsettled) scan.see(record.head);
    const isLast = index === read.length - 1;
    if (
      unsettled.length > 0 ||
      (isLast && head.firstSequence > known.settled && head.firstSequence < limit)
    ) {
      found.push({ file, head, bytes, records: unsettled, end });
    } else {
      files.release(file);
    }
  }
  const { highWater } = known;
  if (highWater !== undefined) scan.reach(highWater.sequence, highWater.wallMs, highWater.recent);
  for (const { lastSequence } of known.onRecord) scan.skip(lastSequence);
  return {
    files: found,
    found: scan.gaps.flatMap((gap) => unrecordedLosses("journal", gap, known.onRecord)),
    position: { lastSequence: scan.lastSequence, recent: scan.recent },
    lastOrdinal: read.at(-1)?.head.ordinal ?? 0,
  };
}

/** Follows the sequence. */
class Scan {
  readonly gaps: Gap[] = [];
  readonly recent = new RecentInstants();
  lastSequence: number;
  #last: Neighbour | undefined;

  constructor(settled: number) {
    this.lastSequence = settled;
  }

  see(head: RecordHead): void {
    if (head.sequence <= this.lastSequence) return;
    this.#gapBefore(head.sequence, head);
    this.recent.add(head.own);
    this.lastSequence = head.sequence;
    this.#last = head;
  }

  /** Takes note that a record was written, which was not seen when it is beyond those that were. */
  reach(sequence: number, wallMs: number, recent: Readonly<InstantRange> = noInstants()): void {
    if (sequence <= this.lastSequence) return;
    this.#gapBefore(sequence + 1, { wallMs, recent });
    this.lastSequence = sequence;
  }

  /** Numbers up to a known loss are not used again. */
  skip(sequence: number): void {
    this.lastSequence = Math.max(this.lastSequence, sequence);
  }

  #gapBefore(sequence: number, after: Neighbour): void {
    if (sequence === this.lastSequence + 1) return;
    this.gaps.push({
      firstSequence: this.lastSequence + 1,
      lastSequence: sequence - 1,
      before: this.#last,
      after,
    });
  }
}

/** The records of a file whose checksums hold and whose sequence is below a limit. */
function recordsOf(
  bytes: Uint8Array,
  fileHead: FileHead,
  limit: number,
): { records: FoundRecord[]; end: number } {
  const records: FoundRecord[] = [];
  const view = viewOf(bytes);
  const seed = seedOf(fileHead);
  let end = fileHeadBytes;
  // Where a record does not check, the next is looked for at each place where one may begin.
  for (let start = end; start + recordHeadBytes <= bytes.length; ) {
    const head = recordHeadAt(bytes, view, start, seed);
    if (head === undefined || head.sequence >= limit) {
      start += alignment;
      continue;
    }
    records.push({ start, head });
    end = aligned(start + recordHeadBytes + head.length);
    start = end;
  }
  return { records, end };
}
