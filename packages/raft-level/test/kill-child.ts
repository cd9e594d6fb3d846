/**
 * A process that appends until it is killed. Prints, after each append is acknowledged, a line of what then holds: term, vote,
 * last index and base. Compacts, overwrites ends and saves its identity now and then, all at once with appends.
 */
import { writeSync } from "node:fs";
import { LevelStorage } from "@mon/raft-level";
import { entries } from "./contents.ts";

const storage = new LevelStorage({ directory: process.argv[2]!, options: { writeBufferBytes: 65_536 } });
const { log, stable } = storage;
const state = await log.open();
const known = await stable.load();
await stable.save({
  identity: { nodeId: "a", clusterId: "c", incarnation: 1 },
  peers: { b: (known?.peers.b ?? 0) + 1 },
});
let { lastIndex, base } = state;
let term = (state.hardState?.term ?? 0) + 1;

for (let step = 0; ; step++) {
  // Every seventh append overwrites up to three entries in a new term.
  const isOverwriting = step % 7 === 6;
  if (isOverwriting) term++;
  const from = isOverwriting ? Math.max(base.index + 1, lastIndex - 2) : lastIndex + 1;
  const appending = log.append({
    hardState: { term, votedFor: `n${term}`, commit: base.index },
    reset: undefined,
    entries: entries(from, from + 3, term),
  });
  const next = { index: base.index + 40, term: 0 };
  if (step % 20 === 19 && next.index < from - 10) {
    const [read] = await log.entries(next.index, next.index + 1, 1);
    base = { index: next.index, term: read!.term };
    await Promise.all([log.compact(base), appending]);
  }
  await appending;
  lastIndex = from + 3;
  writeSync(1, `${JSON.stringify({ term, lastIndex, base: base.index })}\n`);
}
