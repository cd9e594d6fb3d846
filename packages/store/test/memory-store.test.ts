import { MemoryStore } from "@mon/store";
import { storeConformance } from "@mon/store/conformance";

storeConformance("MemoryStore", {
  async setup(options) {
    const store = new MemoryStore(options);
    await store.open();
    return store;
  },
});
