import { join } from "node:path";
import type { MetricStore } from "@mon/store";
import { type SetupOptions, storeConformance } from "@mon/store/conformance";
import { openStore, temporaryDirectory } from "./directory.ts";

/** Where a store is, and how it was set up. */
const origins = new WeakMap<MetricStore, { directory: string; options: SetupOptions }>();

async function open(directory: string, options: SetupOptions): Promise<MetricStore> {
  const store = await openStore(directory, { options });
  origins.set(store, { directory, options });
  return store;
}

storeConformance("LevelStore", {
  setup: async (options = {}) => open(join(await temporaryDirectory(), "db"), options),
  reopen: async (store) => {
    await store.close();
    const { directory, options } = origins.get(store)!;
    return open(directory, options);
  },
  seed: Number(process.env.SEED ?? 1),
  histories: process.env.MON_TEST === "full" ? 200 : 10,
});
