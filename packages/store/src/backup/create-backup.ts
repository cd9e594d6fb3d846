import { createHash } from "node:crypto";
import { StoreError } from "../errors.ts";
import type { MetricStore, Partition } from "../store.ts";
import { encodeDocument, type HostDocument } from "./document.ts";
import { BlockWriter } from "./fragment-block.ts";
import { encodeFrame, type FrameType, firstChecksum, frameType, preamble } from "./frame.ts";
import { pack } from "./packed.ts";
import { type BackupCounts, type BackupHeader, BackupTally } from "./summary.ts";

/** What a backup is made from. */
export type BackupSource = Pick<MetricStore, "kind" | "partitions" | "exportPartition" | "hosts">;

/** How a backup is made. */
export interface CreateBackupOptions extends Pick<BackupHeader, "createdAtMs" | "monVersion"> {
  readonly storeId?: string;
  readonly brokerId?: string;
  /** Ends the backup with the signal's reason. */
  readonly signal?: AbortSignal;
  /** Called before each piece with what the backup holds up to and with it. */
  readonly onProgress?: (counts: BackupCounts) => void;
}

/** Bytes of fragments, unpacked, that make a frame: a few milliseconds of work. A larger fragment makes its own. */
const blockBytes = 262_144;

/** Hosts whose metadata makes a frame. */
const hostsPerFrame = 500;

/**
 * Backs a store up: the bytes of a file, in pieces that are frames of at most about 256 KiB before compression. Memory
 * is bounded by a frame, whatever the store holds.
 *
 * Every fragment whose write had resolved before the first piece was asked for is in the backup, unless it is trimmed
 * meanwhile. A fragment that is written while the backup is made is in it whole or not at all, and one that is may be
 * younger than one that is not: each stands for itself, so that is no harm. The store goes on meanwhile.
 *
 * A partition that the store cannot read in full (`STORE_CORRUPT`) is backed up as far as it can be read and marked;
 * see {@link BackupCounts.partitionsDamaged}.
 *
 * @throws {StoreError} what the store throws otherwise; bytes that came before are no backup then
 */
export async function* createBackup(
  store: BackupSource,
  options: CreateBackupOptions,
): AsyncGenerator<Uint8Array, BackupCounts, void> {
  const { createdAtMs, monVersion, storeId = "", brokerId = "", signal, onProgress } = options;
  const tally = new BackupTally();
  const digest = createHash("sha256").update(preamble);
  let checksum = firstChecksum;
  const frame = (type: FrameType, payload: Uint8Array): Uint8Array => {
    signal?.throwIfAborted();
    const encoded = encodeFrame(type, payload, checksum);
    checksum = encoded.checksum;
    if (type !== frameType.trailer) digest.update(encoded.bytes);
    onProgress?.(tally.counts);
    return encoded.bytes;
  };

  yield preamble.slice();
  const header = { createdAtMs, monVersion, storeKind: store.kind, storeId, brokerId };
  yield frame(frameType.header, encodeDocument(header));
  for await (const partition of store.partitions()) {
    for await (const block of blocksOf(store, partition, tally))
      yield frame(frameType.fragments, pack(block));
  }
  for await (const hosts of metadataOf(store)) {
    tally.hosts += hosts.length;
    yield frame(frameType.hosts, pack(encodeDocument(hosts)));
  }
  const sha256 = digest.digest("hex");
  yield frame(frameType.trailer, encodeDocument({ ...tally.counts, sha256 }));
  return tally.counts;
}

/** The blocks of a partition; none when it is gone. */
async function* blocksOf(
  store: BackupSource,
  partition: Partition,
  tally: BackupTally,
): AsyncGenerator<Uint8Array> {
  const writer = new BlockWriter(partition);
  let damage = "";
  try {
    for await (const fragment of store.exportPartition(partition)) {
      if (writer.bytes > 0 && writer.bytes + fragment.bytes.length > blockBytes) yield writer.take();
      writer.add(fragment);
      tally.addFragment(fragment.timestampMs);
    }
  } catch (error) {
    if (!(error instanceof StoreError && error.code === "STORE_CORRUPT")) throw error;
    damage = error.message;
  }
  if (writer.fragments === 0 && damage === "") return;
  tally.addPartition(damage !== "");
  yield writer.end(damage);
}

/** What is known of hosts besides their data, some hosts at a time. */
async function* metadataOf(store: BackupSource): AsyncGenerator<readonly HostDocument[]> {
  let after: string | undefined;
  while (true) {
    const page = await store.hosts({ limit: hostsPerFrame, ...(after !== undefined && { after }) });
    if (page.length > 0)
      yield page.map(({ hostId, lastSeenMs, metadata }) => ({ hostId, lastSeenMs, metadata }));
    if (page.length < hostsPerFrame) return;
    after = page.at(-1)!.hostId;
  }
}
