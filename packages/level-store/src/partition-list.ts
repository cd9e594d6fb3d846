import { setImmediate as nextTurn } from "node:timers/promises";
import type { Partition } from "@mon/store";
import { firstKeyAfterPartition, parseChunkKey } from "./chunk-key.ts";
import type { Database } from "./database.ts";
import type { Generation } from "./generation.ts";
import { HostBlocks } from "./host-blocks.ts";
import { endOfSpace, singleKey, space } from "./key.ts";

/** After so many entries a walk through memory lets others run. */
const entriesPerTurn = 50_000;

/** Partitions that have data in memory or in chunks, each once. Takes memory for the former. */
export async function* listPartitions(
  database: Database,
  generations: readonly Generation[],
): AsyncGenerator<Partition> {
  const inMemory = new Set<string>();
  let looked = 0;
  for (const generation of generations) {
    for (const hostId of generation.hosts.keys()) {
      const blocks = new HostBlocks(hostId);
      for (const entry of generation.entriesOf(hostId, Number.NEGATIVE_INFINITY, Number.POSITIVE_INFINITY)) {
        if (++looked % entriesPerTurn === 0) await nextTurn();
        const blockStartMs = blocks.startOf(generation.timestampsMs[entry]!);
        const name = `${hostId}/${blockStartMs}`;
        if (inMemory.has(name)) continue;
        inMemory.add(name);
        yield { hostId, blockStartMs };
      }
    }
  }
  const range = { gte: singleKey(space.chunk), lt: endOfSpace(space.chunk) };
  for await (const key of database.hop(range, firstKeyAfterPartition)) {
    const parsed = parseChunkKey(key);
    if (parsed === undefined || inMemory.has(`${parsed.hostId}/${parsed.blockStartMs}`)) continue;
    yield { hostId: parsed.hostId, blockStartMs: parsed.blockStartMs };
  }
}
