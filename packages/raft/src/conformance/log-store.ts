import { afterEach, beforeEach, describe, expect, it } from "vitest";
import { emptyConfState, encodeConfState } from "../conf-state.ts";
import type { Entry, EntryType, LogPosition } from "../entry.ts";
import type { HardState } from "../hard-state.ts";
import type { LogStore } from "../log-store.ts";
import { LogImage } from "../memory/log-image.ts";

/** How the suite gets its logs. */
export interface LogStoreFixture {
  /** Makes a store over new, empty storage; does not open it. */
  create(): Promise<LogStore>;
  /** Makes a store over the storage of one that was closed; does not open it. */
  reopen(store: LogStore): Promise<LogStore>;
}

/** Registers the tests that every {@link LogStore} must pass. */
export function logStoreConformance(name: string, fixture: LogStoreFixture): void {
  describe(`${name} is a log store that`, () => {
    let store: LogStore;

    beforeEach(async () => {
      store = await fixture.create();
    });

    afterEach(async () => {
      await store.close();
    });

    /** What the log holds now, and after it was closed and opened again. */
    async function expectContents(image: LogImage): Promise<void> {
      const { base, lastIndex } = image;
      const all = async (): Promise<readonly Entry[]> =>
        lastIndex === base.index
          ? []
          : await store.entries(base.index + 1, lastIndex + 1, Number.MAX_SAFE_INTEGER);
      expect(await all()).toEqual(image.entries);
      await store.close();
      store = await fixture.reopen(store);
      expect(await store.open()).toEqual(image.state());
      expect(await all()).toEqual(image.entries);
    }

    it("starts empty", async () => {
      expect(await store.open()).toEqual(new LogImage().state());
    });

    it("keeps entries, their bytes and the hard state over a restart", async () => {
      const image = new LogImage();
      await store.open();
      for (const batch of [
        { hardState: hardState(1, "a", 0), reset: undefined, entries: [entry(1, 1, "config"), entry(2, 1)] },
        {
          hardState: hardState(3, undefined, 2),
          reset: undefined,
          entries: [entry(3, 3, "noop"), entry(4, 3)],
        },
        { hardState: hardState(4, "b", 4), reset: undefined, entries: [] },
      ]) {
        await store.append(batch);
        image.append(batch);
      }
      await expectContents(image);
    });

    it("keeps numbers up to 2^53 and data of any bytes and length", async () => {
      const image = new LogImage();
      await store.open();
      const index = Number.MAX_SAFE_INTEGER - 3;
      const term = Number.MAX_SAFE_INTEGER - 1;
      const batch = {
        hardState: hardState(Number.MAX_SAFE_INTEGER, "ä/\u0000", index),
        reset: { index, term },
        entries: [
          { ...entry(index + 1, term), data: new Uint8Array(0), timestampMs: 8_640_000_000_000_000 },
          { ...entry(index + 2, term), data: new Uint8Array(300_000).fill(255), timestampMs: -1 },
        ],
      };
      await store.append(batch);
      image.append(batch);
      await expectContents(image);
    });

    it("replaces everything from the first entry of a batch on", async () => {
      const image = new LogImage();
      await store.open();
      for (const batch of [
        {
          hardState: hardState(1),
          reset: undefined,
          entries: [1, 2, 3, 4, 5].map((index) => entry(index, 1)),
        },
        { hardState: hardState(2), reset: undefined, entries: [entry(3, 2, "config")] },
        { hardState: hardState(3), reset: undefined, entries: [entry(3, 3), entry(4, 3)] },
      ]) {
        await store.append(batch);
        image.append(batch);
      }
      await expectContents(image);
    });

    it("drops everything on a reset, and goes on after it", async () => {
      const image = new LogImage();
      await store.open();
      for (const batch of [
        { hardState: hardState(1), reset: undefined, entries: [1, 2, 3].map((index) => entry(index, 1)) },
        { hardState: hardState(5), reset: { index: 2, term: 5 }, entries: [] },
      ]) {
        await store.append(batch);
        image.append(batch);
      }
      await expectContents(image);
      const more = { hardState: hardState(5), reset: undefined, entries: [entry(3, 5)] };
      await store.append(more);
      image.append(more);
      await expectContents(image);
    });

    it("forgets what is compacted, and ignores a base that is behind", async () => {
      const image = new LogImage();
      await store.open();
      const batch = {
        hardState: hardState(2),
        reset: undefined,
        entries: [1, 2, 3, 4, 5].map((i) => entry(i, 1)),
      };
      await store.append(batch);
      image.append(batch);
      for (const base of [
        { index: 3, term: 1 },
        { index: 2, term: 1 },
      ]) {
        await store.compact(base);
        image.compact(base);
      }
      await expect(store.entries(3, 5, 1)).rejects.toMatchObject({ code: "RAFT_LOG_COMPACTED" });
      await expectContents(image);
      await store.compact({ index: 5, term: 1 });
      image.compact({ index: 5, term: 1 });
      await expectContents(image);
    });

    it("reads as many entries as fit, at least one, and none beyond the end of the range", async () => {
      await store.open();
      const entries = [1, 2, 3, 4].map((index) => ({ ...entry(index, 1), data: new Uint8Array(68) }));
      await store.append({ hardState: hardState(1), reset: undefined, entries });
      const read = async (from: number, to: number, maxBytes: number): Promise<number[]> =>
        (await store.entries(from, to, maxBytes)).map(({ index }) => index);
      expect(await read(1, 5, 1)).toEqual([1]);
      expect(await read(1, 5, 299)).toEqual([1, 2]);
      expect(await read(2, 5, 300)).toEqual([2, 3, 4]);
      expect(await read(2, 4, 100_000)).toEqual([2, 3]);
    });

    it("agrees with a plain list through random appends, resets and compactions", async () => {
      const image = new LogImage();
      await store.open();
      let state = 7;
      const below = (n: number): number => {
        state = (Math.imul(state, 1_103_515_245) + 12_345) >>> 0;
        return (state >>> 8) % n;
      };
      for (let step = 0; step < 60; step++) {
        const { base, lastIndex } = image;
        if (below(5) === 0) {
          const index = base.index + below(lastIndex - base.index + 1);
          const term = image.entries[index - base.index - 1]?.term ?? base.term;
          await compact(image, { index, term });
          continue;
        }
        const reset = below(12) === 0 ? { index: lastIndex + below(3), term: step } : undefined;
        const from =
          reset === undefined ? base.index + 1 + below(lastIndex - base.index + 1) : reset.index + 1;
        const entries = Array.from({ length: below(6) }, (_, i) =>
          entry(from + i, step + 1, TYPES[below(3)]),
        );
        const batch = { hardState: hardState(step + 1, undefined, base.index), reset, entries };
        await store.append(batch);
        image.append(batch);
      }
      await expectContents(image);
    });

    it("lets an append, a compaction and reads be under way together", async () => {
      await store.open();
      const entries = [1, 2, 3, 4].map((index) => entry(index, 1));
      await store.append({ hardState: hardState(1), reset: undefined, entries });
      const next = { hardState: hardState(1), reset: undefined, entries: [entry(5, 1)] };
      const [, , read] = await Promise.all([
        store.append(next),
        store.compact({ index: 2, term: 1 }),
        store.entries(3, 5, 1_000_000),
      ]);
      expect(read).toEqual(entries.slice(2));
    });

    it("can be closed twice, and does nothing afterwards", async () => {
      await store.open();
      await store.close();
      await store.close();
      const batch = { hardState: hardState(1), reset: undefined, entries: [] };
      await expect(store.append(batch)).rejects.toMatchObject({ code: "RAFT_STOPPED" });
      await expect(store.compact({ index: 1, term: 1 })).rejects.toMatchObject({ code: "RAFT_STOPPED" });
      await expect(store.entries(1, 2, 1)).rejects.toMatchObject({ code: "RAFT_STOPPED" });
    });

    async function compact(image: LogImage, base: LogPosition): Promise<void> {
      await store.compact(base);
      image.compact(base);
    }
  });
}

const TYPES: readonly EntryType[] = ["command", "noop", "config"];

function hardState(term: number, votedFor?: string, commit = 0): HardState {
  return { term, votedFor, commit };
}

function entry(index: number, term: number, type: EntryType = "command"): Entry {
  const data =
    type === "config"
      ? encodeConfState({ ...emptyConfState, voters: [`n${index}`] })
      : new TextEncoder().encode(type === "noop" ? "" : `entry ${index} of ${term}`);
  return { index, term, type, data: new Uint8Array(data), timestampMs: 1_700_000_000_000 + index };
}
