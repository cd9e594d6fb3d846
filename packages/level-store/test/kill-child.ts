/**
 * A process that writes until it is killed, from a given number on. Prints the number of each report whose write was
 * acknowledged, after the acknowledgement.
 */
import { writeSync } from "node:fs";
import { LevelStore } from "@mon/level-store";
import { report } from "./contents.ts";

const [directory, first] = process.argv.slice(2);
const store = new LevelStore({
  directory: directory!,
  now: Date.now,
  options: { generationBytes: 20_000, writeBufferBytes: 65_536, maxBatchBytes: 2_000 },
});
await store.open();
let next = Number(first);

async function writeOn(): Promise<never> {
  for (;;) {
    const numbers = Array.from({ length: 7 }, () => next++);
    const fates = await store.write(
      numbers.map((n) => report(`h${n % 3}`, n * 60_000, { n, [`m${n % 50}`]: n })),
    );
    const acked = numbers.filter((_, i) => fates[i]!.status === "stored");
    writeSync(1, `${acked.join("\n")}\n`);
  }
}

/** Packs what others write. */
async function packOn(): Promise<never> {
  for (;;) await store.pack(next * 60_000);
}

await Promise.all([...Array.from({ length: 4 }, writeOn), packOn()]);
