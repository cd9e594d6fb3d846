import { MemoryStore } from "@mon/store";
import { storeConformance } from "@mon/store/conformance";

storeConformance("MemoryStore", {
  async create() {
    const store = new MemoryStore();
    await store.open();
    return store;
  },
});
