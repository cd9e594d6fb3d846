import { join } from "node:path";
import { BlockDecoder, type LevelStoreDeps } from "@mon/level-store";
import type { MetricStore } from "@mon/store";
import { storeConformance } from "@mon/store/conformance";
import { openStore, temporaryDirectory } from "./directory.ts";

/** Where a store is, and how it was set up. */
const origins = new WeakMap<MetricStore, { directory: string; deps: Partial<LevelStoreDeps> }>();

async function open(directory: string, deps: Partial<LevelStoreDeps>): Promise<MetricStore> {
  const store = await openStore(directory, deps);
  origins.set(store, { directory, deps });
  return store;
}

/** A reader of small blocks decodes them itself, and other threads the rest: here all of them. */
const decoder = new BlockDecoder({ threads: 2, inlineBytesMax: 0 });

for (const deps of [{}, { decoder }]) {
  const name = "decoder" in deps ? "LevelStore whose blocks are all decoded in other threads" : "LevelStore";
  storeConformance(name, {
    setup: async (options = {}) => open(join(await temporaryDirectory(), "db"), { ...deps, options }),
    reopen: async (store) => {
      await store.close();
      const { directory, deps: known } = origins.get(store)!;
      return open(directory, known);
    },
    seed: Number(process.env.SEED ?? 1),
    histories: process.env.MON_TEST === "full" ? 200 : 10,
  });
}
