import { logStoreConformance, snapshotStoreConformance, stableStoreConformance } from "@mon/raft/conformance";
import type { LevelStorage } from "@mon/raft-level";
import { storageAt, temporaryDirectory } from "./directory.ts";

/** Makes stores, and others over the directories of those. */
function fixture<Store extends object>(pick: (storage: LevelStorage) => Store) {
  const directories = new Map<object, string>();
  const over = async (directory: string): Promise<Store> => {
    const store = pick(storageAt(directory));
    directories.set(store, directory);
    return store;
  };
  return {
    create: async (): Promise<Store> => over(await temporaryDirectory()),
    reopen: (store: object): Promise<Store> => over(directories.get(store)!),
  };
}

logStoreConformance(
  "LevelLogStore",
  fixture(({ log }) => log),
);
stableStoreConformance(
  "LevelStableStore",
  fixture(({ stable }) => stable),
);
snapshotStoreConformance(
  "FileSnapshotStore",
  fixture(({ snapshots }) => snapshots),
);
