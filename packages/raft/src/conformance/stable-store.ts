import { afterEach, beforeEach, describe, expect, it } from "vitest";
import type { StableStore } from "../stable-store.ts";

/** How the suite gets its stores. */
export interface StableStoreFixture {
  /** Makes a store over new, empty storage. */
  create(): Promise<StableStore>;
  /** Makes a store over the storage of one that was closed. */
  reopen(store: StableStore): Promise<StableStore>;
}

/** Registers the tests that every {@link StableStore} must pass. */
export function stableStoreConformance(name: string, fixture: StableStoreFixture): void {
  describe(`${name} is a stable store that`, () => {
    let store: StableStore;

    beforeEach(async () => {
      store = await fixture.create();
    });

    afterEach(async () => {
      await store.close();
    });

    it("starts empty", async () => {
      expect(await store.load()).toBeUndefined();
    });

    it("keeps what was saved last, over a restart too", async () => {
      const identity = { nodeId: "a", clusterId: "c/1", incarnation: 2 ** 48 - 1 };
      await store.save({ identity, peers: {} });
      const state = { identity, peers: { b: 1, "ö ö": 2 ** 48 - 1, constructor: 7 } };
      await store.save(state);
      expect(await store.load()).toEqual(state);
      await store.close();
      store = await fixture.reopen(store);
      expect(await store.load()).toEqual(state);
    });

    it("keeps that the state machine is fenced, until it is not", async () => {
      const state = { identity: { nodeId: "a", clusterId: "c", incarnation: 1 }, peers: { b: 1 } };
      await store.save({ ...state, fenced: true });
      await store.close();
      store = await fixture.reopen(store);
      expect(await store.load()).toEqual({ ...state, fenced: true });
      await store.save(state);
      expect(await store.load()).toEqual(state);
    });

    it("can be closed twice", async () => {
      await store.close();
      await store.close();
    });
  });
}
