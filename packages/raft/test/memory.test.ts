import {
  logStoreConformance,
  snapshotStoreConformance,
  stableStoreConformance,
  transportConformance,
} from "../src/conformance.ts";
import {
  type Clock,
  MemoryLogStore,
  MemoryNetwork,
  MemorySnapshotStore,
  MemoryStableStore,
} from "../src/index.ts";

logStoreConformance("MemoryLogStore", {
  create: async () => new MemoryLogStore(),
  reopen: async (store) => new MemoryLogStore((store as MemoryLogStore).image.clone()),
});

stableStoreConformance("MemoryStableStore", {
  create: async () => new MemoryStableStore(),
  reopen: async (store) => new MemoryStableStore((store as MemoryStableStore).state),
});

snapshotStoreConformance("MemorySnapshotStore", {
  create: async () => new MemorySnapshotStore(),
  reopen: async (store) => store,
});

const clock: Clock = {
  now: () => Date.now(),
  setTimeout: (callback, delayMs) => {
    const timer = setTimeout(callback, delayMs);
    return { cancel: () => clearTimeout(timer) };
  },
  setImmediate: (callback) => {
    const timer = setImmediate(callback);
    return { cancel: () => clearImmediate(timer) };
  },
};

transportConformance("MemoryNetwork", {
  create: async () => {
    const network = new MemoryNetwork(clock);
    return { a: network.transport("a"), b: network.transport("b"), c: network.transport("c") };
  },
});
