import { spawn } from "node:child_process";
import { once } from "node:events";
import { join } from "node:path";
import { text } from "node:stream/consumers";
import { expect, it } from "vitest";
import { report } from "./contents.ts";
import { openStore, settle, t0, temporaryDirectory } from "./directory.ts";

const isFull = process.env.MON_TEST === "full";
const hostIds = ["host-0", "host-1", "host-2"];

/** Everything in tables: two blocks of each host in chunks, some of them in several, and a little in the journal. */
async function written(compression: boolean): Promise<string> {
  const directory = await temporaryDirectory();
  const options = { writeBufferBytes: 65_536, compression };
  const store = await openStore(directory, { options });
  for (let i = 0; i < 320; i++) {
    const values = { a: i, b: Math.sin(i), c: 1, [`d${i % 7}`]: i };
    await store.write(hostIds.map((hostId) => report(hostId, t0 + i * 15_000, values)));
    if (i === 200 || i === 300) await settle(store);
  }
  await store.close();
  // Moves LevelDB's log to a table.
  await (await openStore(directory, { options })).close();
  return directory;
}

interface Flips {
  readonly pattern: string;
  readonly flips: number;
  readonly compression?: boolean;
  /** As the option; 0 leaves chunks to `verify`. */
  readonly openCheckBytes?: number;
}

/** What became of a store one byte of which has another bit, and how often; LevelDB may end the process that looks. */
async function outcomesOf({
  pattern,
  flips,
  compression = true,
  openCheckBytes = 64 * 1024 * 1024,
}: Flips): Promise<Record<string, number>> {
  const work = {
    directory: await written(compression),
    scratch: await temporaryDirectory(),
    hostIds,
    pattern,
    flips: isFull ? 1e9 : flips,
    seed: Number(process.env.SEED ?? 5),
    options: { writeBufferBytes: 65_536, compression, openCheckBytes },
    nowMs: t0,
  };
  const child = spawn(
    process.execPath,
    ["--conditions=@mon/source", join(import.meta.dirname, "flip-child.ts"), JSON.stringify(work)],
    { stdio: ["ignore", "pipe", "pipe"] },
  );
  const [lines, complaint] = await Promise.all([text(child.stdout), text(child.stderr), once(child, "exit")]);
  const told = lines.trim().split("\n");
  expect({
    code: child.exitCode,
    signal: child.signalCode,
    complaint,
    last: child.exitCode === 0 ? "" : told.at(-1),
  }).toEqual({ code: 0, signal: null, complaint: "", last: "" });
  const outcomes: Record<string, number> = {};
  for (const line of told) {
    const { outcome } = JSON.parse(line);
    if (/silence|wrong|refused/.test(outcome)) expect.fail(line);
    if (outcome !== undefined) outcomes[outcome] = (outcomes[outcome] ?? 0) + 1;
  }
  return outcomes;
}

// Each: named, with all the rest served; never a wrong value, never a loss in silence, never the end of the process.
const kinds: readonly (readonly [string, Flips, readonly string[]])[] = [
  [
    "a table that opening verifies",
    { pattern: "^\\d+\\.ldb$", flips: 60 },
    ["named", "whole, named", "whole"],
  ],
  [
    "a table without compression",
    { pattern: "^\\d+\\.ldb$", flips: 60, compression: false },
    ["named", "whole, named", "whole"],
  ],
  [
    "a table whose chunks are left to a verification",
    { pattern: "^\\d+\\.ldb$", flips: 60, compression: false, openCheckBytes: 0 },
    ["named", "whole, named", "whole"],
  ],
  ["MANIFEST", { pattern: "^MANIFEST", flips: 30 }, ["whole, named"]],
  ["CURRENT", { pattern: "^CURRENT$", flips: 16 }, ["whole, named"]],
  ["LevelDB's log", { pattern: "^\\d+\\.log$", flips: 20 }, ["named", "whole, named", "whole"]],
  ["the journal", { pattern: "^journal", flips: 30 }, ["named", "whole, named", "whole"]],
  ["HIGHWATER and the lock", { pattern: "^(HIGHWATER|lock.*)$", flips: 4 }, ["whole, named", "whole"]],
];

it.each(kinds)(
  "serves all but what a flipped bit was in, and names that, whichever byte of %s it is",
  async (_, flips, expected) => {
    const outcomes = await outcomesOf(flips);
    expect(Object.keys(outcomes).filter((outcome) => !expected.includes(outcome))).toEqual([]);
    expect(Object.keys(outcomes)).not.toEqual([]);
  },
  isFull ? 3_600_000 : 120_000,
);
