import { describe, expect, it } from "vitest";
import { readRecording } from "../bench/chunk-recording.ts";
import { Chunk, encodeChunk, joinChunk, type SeriesColumn } from "../src/index.ts";

const { columns } = readRecording();
const samples = columns.reduce((sum, { values }) => sum + values.length, 0);

/** The memory of a column, to be compared quickly. */
function memoryOf({ timestampsMs, values, flags }: SeriesColumn): Buffer {
  return Buffer.concat([timestampsMs, values, flags].map(({ buffer }) => new Uint8Array(buffer)));
}

describe("readings of a real machine", () => {
  it("are of at least 200 series at 1,440 instants", () => {
    const long = columns.filter(({ values }) => values.length >= 1_440);
    expect(long.length).toBeGreaterThanOrEqual(200);
  });

  it.each([
    ["fast", 0.6],
    ["small", 0.55],
  ] as const)(
    "come back to the bit from a chunk of effort %s, of at most %f bytes a sample",
    (effort, most) => {
      const bytes = joinChunk(encodeChunk(columns, { effort }));
      expect(bytes.length / samples).toBeLessThan(most);
      const chunk = Chunk.parse(bytes);
      for (const [index, column] of columns.entries()) {
        expect(memoryOf(chunk.column(index)).equals(memoryOf(column))).toBe(true);
      }
    },
  );
});
