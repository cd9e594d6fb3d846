import {
  type EncodedChunk,
  encodeChunk,
  joinChunk,
  mergeColumns,
  type Partition,
  type SeriesColumn,
  seriesKey,
} from "@mon/store";
import { chunkKey } from "./chunk-key.ts";
import { type JoinedRecords, recordsOf } from "./joined-records.ts";
import { space } from "./key.ts";
import { sealed } from "./record.ts";
import { storedChunk } from "./stored-chunk.ts";

/** The chunks of a partition, as they are in LevelDB. */
export interface PackRequest {
  readonly partition: Partition;
  readonly records: JoinedRecords;
}

/** What became of them. */
export type PackOutcome =
  | { readonly kind: "packed"; readonly key: Uint8Array; readonly value: Uint8Array }
  /** It is better left in several chunks: its names and labels are too long for one. */
  | { readonly kind: "left" }
  /** Nothing is to be deleted that could not be read. */
  | { readonly kind: "damaged"; readonly reason: string };

/** Folds the chunks of a partition into one (R4), as small as it gets. */
export function pack({ partition, records }: PackRequest): PackOutcome {
  const parts = new Map<string, SeriesColumn[]>();
  let reason: string | undefined;
  for (const [key, value] of recordsOf(records)) {
    const stored = storedChunk(key, value, (complaint) => {
      reason = complaint;
    });
    if (stored === undefined) return { kind: "damaged", reason: reason ?? "a chunk is damaged" };
    for (const index of stored.chunk.series.keys()) {
      const column = stored.chunk.column(index);
      const seriesId = seriesKey(column.series);
      const known = parts.get(seriesId);
      if (known === undefined) parts.set(seriesId, [column]);
      else known.push(column);
    }
  }
  const columns = [...parts.entries()]
    .sort(([a], [b]) => (a < b ? -1 : 1))
    .map(([, columnParts]) =>
      columnParts.length === 1 ? columnParts[0]! : mergeColumns(columnParts).column,
    );
  let chunk: EncodedChunk;
  try {
    chunk = encodeChunk(columns, { effort: "small" });
  } catch (error) {
    if (error instanceof RangeError) return { kind: "left" };
    throw error;
  }
  const key = chunkKey({ ...partition, idHigh: chunk.idHigh, idLow: chunk.idLow }, space.chunk);
  return { kind: "packed", key, value: sealed(key, joinChunk(chunk)) };
}
