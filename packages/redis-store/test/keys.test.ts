import { blockMs, blockStart, Kind } from "@mon/store";
import fc from "fast-check";
import { expect, it } from "vitest";
import { chunkField, columnField, readChunkField } from "../src/keys/chunk-field.ts";
import { putFragmentField, readFragmentField } from "../src/keys/fragment-field.ts";
import { HostBuckets } from "../src/keys/host-buckets.ts";
import { dayStart, isHostId, KeySpace, registryPartitions } from "../src/keys/key-space.ts";
import { registryPartition } from "../src/keys/registry-partition.ts";
import { seriesEntry, seriesOfEntry } from "../src/keys/series-entry.ts";
import { slotOf } from "../src/servers/slot.ts";

const seed = process.env.SEED === undefined ? {} : { seed: Number(process.env.SEED) };
const word = fc.integer({ min: 0, max: 0xffffffff });
const instant = fc.integer({ min: -8.64e15, max: 8.64e15 });
const hostId = fc.stringMatching(/^[A-Za-z0-9][A-Za-z0-9._-]{0,127}$/);

it("names keys as the documentation says, byte by byte", () => {
  const keys = new KeySpace("monitor");
  expect([
    keys.metrics("web-1", 1_700_001_234_567),
    keys.index("web-1"),
    keys.unpacked("web-1"),
    keys.chunks("web-1", 1_699_920_000_000),
    keys.columns("web-1", 1_699_920_000_000),
    keys.series("web-1"),
    keys.host("web-1"),
    keys.registry(3),
    keys.registryLog(3),
  ]).toEqual([
    "monitor:metrics:{web-1}:1700001234567",
    "monitor:index:metrics:{web-1}",
    "monitor:unpacked:{web-1}",
    "monitor:chunks:{web-1}:1699920000000",
    "monitor:columns:{web-1}:1699920000000",
    "monitor:series:{web-1}",
    "monitor:hosts:{web-1}",
    "monitor:hosts:index:{3}",
    "monitor:hosts:log:{3}",
  ]);
});

it("gives no two hosts or partitions a key in common", () => {
  const keys = new KeySpace("monitor");
  fc.assert(
    fc.property(hostId, hostId, fc.integer({ min: 0, max: 15 }), instant, (a, b, partition, ms) => {
      const ofHost = (id: string): string[] => [
        keys.metrics(id, ms),
        keys.index(id),
        keys.unpacked(id),
        keys.chunks(id, ms),
        keys.columns(id, ms),
        keys.series(id),
        keys.host(id),
      ];
      const all = [
        ...ofHost(a),
        ...(a === b ? [] : ofHost(b)),
        keys.registry(partition),
        keys.registryLog(partition),
      ];
      expect(new Set(all).size).toBe(all.length);
    }),
    seed,
  );
});

it.each(["", "-a", ".a", "a b", "a:b", "{a}", "a}", "a\n", "ä", "a".repeat(129), "a\0"])(
  "takes no host id that could leave its place: %j",
  (text) => {
    expect(isHostId(text)).toBe(false);
  },
);

it.each(["", "a b", "a{b", "a}", "ä", "a".repeat(65)])(
  "refuses a prefix that could not be told apart: %j",
  (prefix) => {
    expect(() => new KeySpace(prefix)).toThrow(RangeError);
  },
);

it("writes the field of a fragment as instant and id, big-endian, and reads it back", () => {
  const field = Buffer.alloc(16);
  putFragmentField(field, { timestampMs: 1_700_001_234_567, idHigh: 0x01020304, idLow: 0xfffefdfc });
  expect(field.toString("hex")).toBe("0000018bcff83e8701020304fffefdfc");
  fc.assert(
    fc.property(instant, word, word, (timestampMs, idHigh, idLow) => {
      putFragmentField(field, { timestampMs, idHigh, idLow });
      expect(field.readBigInt64BE(0)).toBe(BigInt(timestampMs));
      expect(readFragmentField(field)).toEqual({ timestampMs: timestampMs + 0, idHigh, idLow });
    }),
    seed,
  );
  expect(readFragmentField(Buffer.alloc(15))).toBeUndefined();
});

it("writes the fields of a chunk and its columns, and reads them back", () => {
  fc.assert(
    fc.property(instant, word, word, word, (blockStartMs, idHigh, idLow, index) => {
      const field = chunkField({ blockStartMs, idHigh, idLow });
      expect(readChunkField(field)).toEqual({ blockStartMs, idHigh, idLow });
      const column = columnField(field, index);
      expect(column.subarray(0, 16)).toEqual(field);
      expect(column.readUInt32BE(16)).toBe(index);
      expect(readChunkField(column)).toBeUndefined();
    }),
    seed,
  );
});

it("puts every instant in the bucket that holds it, and every bucket in one block (R6)", () => {
  const lengths = [1, 7, 1_000, 60_000, 900_000, blockMs].filter((bucketMs) => blockMs % bucketMs === 0);
  fc.assert(
    fc.property(hostId, instant, fc.constantFrom(...lengths), (id, timestampMs, bucketMs) => {
      const buckets = new HostBuckets(id, bucketMs);
      const start = buckets.startOf(timestampMs);
      expect(timestampMs - start).toBeGreaterThanOrEqual(0);
      expect(timestampMs - start).toBeLessThan(bucketMs);
      const block = blockStart(id, timestampMs);
      expect(buckets.blockOf(timestampMs)).toBe(block);
      expect(buckets.blockOf(start)).toBe(block);
      expect(start + bucketMs).toBeLessThanOrEqual(block + blockMs);
      const day = dayStart(block);
      expect(block - day).toBeGreaterThanOrEqual(0);
      expect(block - day).toBeLessThan(86_400_000);
    }),
    seed,
  );
});

it("spreads hosts over all partitions of the registry", () => {
  const partitions = Array.from({ length: 1_000 }, (_, i) => registryPartition(`host-${i}`));
  expect(new Set(partitions).size).toBe(registryPartitions);
  expect(registryPartition("web-1")).toBe(slotOf("web-1") % 16);
});

it("keeps a series as kind and canonical sample, under an id that does not depend on the kind", () => {
  const series = { name: "cpu", labels: [{ name: "mode", value: "user" }], kind: Kind.counter };
  const entry = seriesEntry(series);
  expect(entry.value[0]).toBe(Kind.counter);
  expect(seriesOfEntry(entry.value)).toEqual(series);
  expect(entry.id).toHaveLength(8);
  expect(seriesEntry({ ...series, kind: Kind.gauge }).id).toBe(entry.id);
  expect(seriesEntry({ ...series, labels: [] }).id).not.toBe(entry.id);
});
