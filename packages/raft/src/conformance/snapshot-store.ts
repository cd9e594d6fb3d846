import { crc32 } from "node:zlib";
import { afterEach, beforeEach, describe, expect, it } from "vitest";
import type { LogPosition } from "../entry.ts";
import type { SnapshotMeta, SnapshotPoint } from "../snapshot.ts";
import type { SnapshotStore } from "../snapshot-store.ts";

/** How the suite gets its stores. */
export interface SnapshotStoreFixture {
  /** Makes a store over new, empty storage. */
  create(): Promise<SnapshotStore>;
  /** Makes a store over the storage of one that was closed. */
  reopen(store: SnapshotStore): Promise<SnapshotStore>;
}

/** Registers the tests that every {@link SnapshotStore} must pass. */
export function snapshotStoreConformance(name: string, fixture: SnapshotStoreFixture): void {
  describe(`${name} is a snapshot store that`, () => {
    let store: SnapshotStore;

    beforeEach(async () => {
      store = await fixture.create();
    });

    afterEach(async () => {
      await store.close();
    });

    async function write(at: SnapshotPoint, ...chunks: Uint8Array[]): Promise<SnapshotMeta> {
      const sink = await store.create(at);
      for (const chunk of chunks) {
        await sink.write(chunk);
      }
      return await sink.commit();
    }

    async function read(position: LogPosition): Promise<Uint8Array> {
      const chunks: Uint8Array[] = [];
      for await (const chunk of store.open(position)) {
        chunks.push(chunk);
      }
      return new Uint8Array(Buffer.concat(chunks));
    }

    it("starts empty", async () => {
      expect(await store.latest()).toBeUndefined();
      await expect(read({ index: 1, term: 1 })).rejects.toMatchObject({ code: "RAFT_SNAPSHOT_MISSING" });
    });

    it("keeps a snapshot with its membership, length and checksum, over a restart too", async () => {
      const contents = Uint8Array.from({ length: 200_000 }, (_, i) => (i * 7) % 251);
      const at = point(Number.MAX_SAFE_INTEGER, 9);
      const meta = await write(
        at,
        contents.subarray(0, 1),
        contents.subarray(1, 70_000),
        contents.subarray(70_000),
      );
      expect(meta).toEqual({ ...at, sizeBytes: contents.length, crc32: crc32(contents) });
      expect(await read(meta)).toEqual(contents);
      await store.close();
      store = await fixture.reopen(store);
      expect(await store.latest()).toEqual(meta);
      expect(await read(meta)).toEqual(contents);
    });

    it("keeps an empty snapshot", async () => {
      const meta = await write(point(3, 1));
      expect(meta).toMatchObject({ sizeBytes: 0, crc32: 0 });
      expect((await read(meta)).length).toBe(0);
    });

    it("does not keep the writer's buffer", async () => {
      const buffer = new Uint8Array([1, 2, 3]);
      const sink = await store.create(point(3, 1));
      await sink.write(buffer);
      buffer.fill(9);
      const meta = await sink.commit();
      expect(await read(meta)).toEqual(new Uint8Array([1, 2, 3]));
    });

    it("shows nothing of a snapshot that is not committed, and nothing of one that is given up", async () => {
      const sink = await store.create(point(5, 1));
      await sink.write(new Uint8Array([1]));
      expect(await store.latest()).toBeUndefined();
      await sink.abort();
      await sink.abort();
      expect(await store.latest()).toBeUndefined();
      await expect(read({ index: 5, term: 1 })).rejects.toMatchObject({ code: "RAFT_SNAPSHOT_MISSING" });
      const other = await store.create(point(6, 1));
      await other.write(new Uint8Array([1]));
      await store.close();
      store = await fixture.reopen(store);
      expect(await store.latest()).toBeUndefined();
    });

    it("does nothing on an abort after a commit", async () => {
      const sink = await store.create(point(5, 1));
      const meta = await sink.commit();
      await sink.abort();
      expect(await store.latest()).toEqual(meta);
    });

    it("names the newest by index, then term, whatever was written last", async () => {
      await write(point(9, 2), new Uint8Array([1]));
      await write(point(10, 2), new Uint8Array([2]));
      await write(point(7, 3), new Uint8Array([3]));
      expect(await store.latest()).toMatchObject({ index: 10, term: 2 });
      await write(point(10, 3), new Uint8Array([4]));
      expect(await store.latest()).toMatchObject({ index: 10, term: 3 });
    });

    it("replaces one of the same position", async () => {
      await write(point(5, 1), new Uint8Array([1]));
      const meta = await write(point(5, 1), new Uint8Array([2, 2]));
      expect(await store.latest()).toEqual(meta);
      expect(await read(meta)).toEqual(new Uint8Array([2, 2]));
    });

    it("removes what is older than asked, and never the newest", async () => {
      for (const index of [1, 2, 3]) {
        await write(point(index, 1), new Uint8Array([index]));
      }
      await store.prune(2);
      await expect(read({ index: 1, term: 1 })).rejects.toMatchObject({ code: "RAFT_SNAPSHOT_MISSING" });
      expect(await read({ index: 2, term: 1 })).toEqual(new Uint8Array([2]));
      await store.prune(100);
      expect(await store.latest()).toMatchObject({ index: 3 });
      expect(await read({ index: 3, term: 1 })).toEqual(new Uint8Array([3]));
    });

    it("lets a reader finish what is pruned meanwhile", async () => {
      const contents = new Uint8Array(500_000).fill(7);
      const meta = await write(point(1, 1), contents);
      const chunks: Uint8Array[] = [];
      for await (const chunk of store.open(meta)) {
        if (chunks.length === 0) {
          await write(point(2, 1), new Uint8Array([1]));
          await store.prune(2);
        }
        chunks.push(chunk);
      }
      expect(new Uint8Array(Buffer.concat(chunks))).toEqual(contents);
    });

    it("can be closed twice", async () => {
      await store.close();
      await store.close();
    });
  });
}

function point(index: number, term: number): SnapshotPoint {
  return {
    index,
    term,
    conf: { voters: ["a", "ö"], learners: ["l"], votersOutgoing: ["b"], learnersNext: [] },
    confIndex: index - 1,
  };
}
