import type { StableState, StableStore } from "../stable-store.ts";

/** A {@link StableStore} in memory. */
export class MemoryStableStore implements StableStore {
  /** What was saved; hand it to the store of a restarted node. */
  state: StableState | undefined;

  constructor(state?: StableState) {
    this.state = state;
  }

  async load(): Promise<StableState | undefined> {
    return this.state;
  }

  async save(state: StableState): Promise<void> {
    this.state = state;
  }

  async close(): Promise<void> {}
}
