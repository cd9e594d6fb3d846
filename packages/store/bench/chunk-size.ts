/** Bytes a sample of recorded readings, in chunks and in other ways: prints tables and writes them to chunk-size.txt. */
import { writeFileSync } from "node:fs";
import { cut, metricClasses, type RecordedColumn, readRecording } from "./chunk-recording.ts";
import { rivals } from "./chunk-rivals.ts";

const { about, columns } = readRecording();
const instants = Math.min(...columns.map(({ values }) => values.length));
const varying = columns.filter(({ metricClass }) => metricClass !== "constant");
const byAgent = columns.filter(({ by }) => by === "agent");

/** Cuts columns into chunks of so many instants, `stride` readings apart. */
function chunksOf(given: readonly RecordedColumn[], count: number, stride = 1): RecordedColumn[][] {
  const span = count * stride;
  return Array.from({ length: Math.floor(instants / span) }, (_, i) => cut(given, i * span, count, stride));
}

function samplesOf(chunks: readonly RecordedColumn[][]): number {
  return chunks.flat().reduce((sum, { values }) => sum + values.length, 0);
}

const lines: string[] = [];

function table(title: string, rows: readonly (readonly [string, RecordedColumn[][]])[]): void {
  const cells = [["", "series", "samples", ...rivals.map(({ name }) => name)]];
  for (const [name, chunks] of rows) {
    const samples = samplesOf(chunks);
    const perSample = rivals.map(({ bytes }) => {
      const total = chunks.reduce((sum, chunk) => sum + bytes(chunk), 0);
      return (total / samples).toFixed(3);
    });
    cells.push([name, `${chunks[0]!.length}`, `${samples}`, ...perSample]);
  }
  const widths = cells[0]!.map((_, i) => Math.max(...cells.map((row) => row[i]!.length)));
  lines.push("", title, "");
  for (const [name, ...numbers] of cells) {
    const padded = numbers.map((cell, i) => cell.padStart(widths[i + 1]!));
    lines.push(`  ${[name!.padEnd(widths[0]!), ...padded].join("  ")}`);
  }
}

lines.push(
  "Bytes a sample",
  "",
  `${about}.`,
  "All bytes of all chunks, instants and headers in, over all samples; names and labels out. zstd -19 and gzip -9 get",
  "each set of instants once, as chunks do. Written by `npm run bench:size`.",
);
const groups = [
  ["all", columns],
  ["all that vary", varying],
  ["by the agent", byAgent],
] as const;
table(
  `One chunk of ${instants} instants, a second apart`,
  groups.map(([name, group]) => [name, chunksOf(group, instants)] as const),
);
table(
  "By class of metric, a chunk each, of all instants",
  metricClasses.map((metricClass) => {
    const group = columns.filter((column) => column.metricClass === metricClass);
    return [metricClass, chunksOf(group, instants)] as const;
  }),
);
table(
  "Chunks of 240 instants, 6 seconds apart",
  groups.map(([name, group]) => [name, chunksOf(group, 240, 6)] as const),
);
table(
  "Chunks of 6 instants, a second apart",
  [...groups, ["20 by the agent", byAgent.filter((_, i) => i % 4 === 0).slice(0, 20)] as const].map(
    ([name, group]) => [name, chunksOf(group, 6)] as const,
  ),
);
const text = `${lines.join("\n")}\n`;
process.stdout.write(text);
writeFileSync(new URL("chunk-size.txt", import.meta.url), text);
