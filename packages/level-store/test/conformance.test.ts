import { join } from "node:path";
import type { MetricStore } from "@mon/store";
import { storeConformance } from "@mon/store/conformance";
import { openStore, temporaryDirectory } from "./directory.ts";

const directories = new WeakMap<MetricStore, string>();

async function open(directory: string): Promise<MetricStore> {
  const store = await openStore(directory);
  directories.set(store, directory);
  return store;
}

storeConformance("LevelStore", {
  create: async () => open(join(await temporaryDirectory(), "db")),
  reopen: async (store) => {
    await store.close();
    return open(directories.get(store)!);
  },
});
