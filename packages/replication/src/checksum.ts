import { blockMs, murmur3, type Partition, type SeriesColumn, seriesKey } from "@mon/store";
import { Sum64 } from "./content.ts";
import type { ReplicaStore } from "./replica-store.ts";

const encoder = new TextEncoder();

/**
 * A checksum of what readers see of a partition: the sum modulo 2⁶⁴ of hash(series, time, bits of the folded value, flags)
 * over its samples (R26). Two holders of the same samples have the same, however each has packed them. O(samples).
 *
 * @param breathe - called between columns; may let others run
 * @returns 16 hexadecimal digits
 */
export async function partitionChecksum(
  store: Pick<ReplicaStore, "read">,
  { hostId, blockStartMs }: Partition,
  breathe?: () => Promise<void>,
): Promise<string> {
  const sum = new Sum64();
  const request = { hostId, startMs: blockStartMs, endMs: blockStartMs + blockMs - 1 };
  for await (const { columns } of store.read(request)) {
    for (const column of columns) {
      addColumn(sum, column);
      await breathe?.();
    }
  }
  return sum.high.toString(16).padStart(8, "0") + sum.low.toString(16).padStart(8, "0");
}

/** Hash of the series (8 bytes), time (8), bits (8), flags (4). */
const record = new Uint8Array(28);
const view = new DataView(record.buffer);

function addColumn(sum: Sum64, { series, timestampsMs, values, flags }: SeriesColumn): void {
  const key = murmur3(encoder.encode(seriesKey(series)));
  // The bits of NaNs go astray when they are passed on as numbers.
  const words = new Uint32Array(values.buffer, values.byteOffset, 2 * values.length);
  for (let i = 0; i < timestampsMs.length; i++) {
    view.setUint32(0, key.high);
    view.setUint32(4, key.low);
    view.setFloat64(8, timestampsMs[i]!);
    view.setUint32(16, words[2 * i + 1]!);
    view.setUint32(20, words[2 * i]!);
    view.setUint32(24, flags[i]!);
    const { high, low } = murmur3(record);
    sum.add(high, low);
  }
}
