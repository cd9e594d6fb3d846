import { storeConformance } from "../src/conformance.ts";
import { MemoryStore } from "../src/index.ts";

storeConformance("MemoryStore", {
  async create() {
    const store = new MemoryStore();
    await store.open();
    return store;
  },
});
