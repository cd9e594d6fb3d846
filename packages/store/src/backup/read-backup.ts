import { blockMs, blockStart } from "../block.ts";
import type { Fragment } from "../fragment.ts";
import type { Partition } from "../store.ts";
import { invalidAt } from "./backup-error.ts";
import type { Pieces } from "./byte-source.ts";
import { decodeHeader, decodeHosts, decodeTrailer, type HostDocument } from "./document.ts";
import { decodeFragmentBlock, type FragmentBlock } from "./fragment-block.ts";
import { frameType } from "./frame.ts";
import { type Frame, FrameReader } from "./frame-reader.ts";
import { IdSum } from "./id-sum.ts";
import { unpack } from "./packed.ts";
import { type BackupHeader, type BackupSummary, BackupTally } from "./summary.ts";

/** A part of a backup. */
export type BackupPart =
  | { readonly kind: "header"; readonly header: BackupHeader }
  /** Some fragments of one partition, each once; views of memory that is theirs alone. */
  | { readonly kind: "fragments"; readonly partition: Partition; readonly fragments: readonly Fragment[] }
  | { readonly kind: "hosts"; readonly hosts: readonly HostDocument[] };

/** Damage told of by name; the rest is counted. */
const damageMax = 100;

/** What a host's id is made of; nothing else ever gets into a store. */
const hostIdPattern = /^[A-Za-z0-9][A-Za-z0-9._-]{0,127}$/;

/**
 * Reads a backup, and checks it as it goes: nothing is given out of a frame whose checksum is wrong, and the iteration
 * ends only at a trailer that agrees with all that came before. Memory is bounded by a frame.
 *
 * @param pieces - the bytes of the backup, in pieces of any size; closed when the reading ends early
 * @throws {BackupError} when the bytes are no backup, are cut short, or have changed
 */
export async function* readBackup(pieces: Pieces): AsyncGenerator<BackupPart, BackupSummary, void> {
  const frames = new FrameReader(pieces);
  try {
    await frames.begin();
    const first = await frames.next();
    if (first.type !== frameType.header) throw invalidAt(first.offset, "a header", "another frame");
    const header = decodeHeader(first.payload, first.offset);
    yield { kind: "header", header };
    const contents = new Contents();
    while (true) {
      const frame = await frames.next();
      if (frame.type === frameType.trailer) return await contents.close(frame, header, frames);
      yield contents.read(frame);
    }
  } finally {
    await frames.close();
  }
}

/** Reads a backup to its end. @throws {BackupError} as {@link readBackup} does */
export async function verifyBackup(pieces: Pieces): Promise<BackupSummary> {
  const parts = readBackup(pieces);
  while (true) {
    const next = await parts.next();
    if (next.done) return next.value;
  }
}

/** What comes between header and trailer, and what it adds up to. */
class Contents {
  readonly #tally = new BackupTally();
  readonly #damage: string[] = [];
  #fragmentBytes = 0;
  #ids = new IdSum();
  /** Fragments of the partition at hand. */
  #fragments = 0;
  #partition: Partition | undefined;
  #hasHosts = false;

  read(frame: Frame): BackupPart {
    const { type, offset, payload } = frame;
    if (type === frameType.fragments && !this.#hasHosts) {
      const block = decodeFragmentBlock(unpack(payload, offset), offset);
      this.#add(block, offset);
      return { kind: "fragments", partition: block.partition, fragments: block.fragments };
    }
    if (type === frameType.hosts && this.#partition === undefined) {
      this.#hasHosts = true;
      const hosts = decodeHosts(unpack(payload, offset), offset);
      for (const { hostId } of hosts) assertHostId(hostId, offset);
      this.#tally.hosts += hosts.length;
      return { kind: "hosts", hosts };
    }
    throw invalidAt(offset, this.#expected, "a frame of another kind");
  }

  async close(frame: Frame, header: BackupHeader, frames: FrameReader): Promise<BackupSummary> {
    const { offset, payload } = frame;
    if (this.#partition !== undefined) throw invalidAt(offset, this.#expected, "the trailer");
    const { sha256, ...told } = decodeTrailer(payload, offset);
    const { counts } = this.#tally;
    const agrees = Object.entries(counts).every(([name, count]) => told[name as keyof typeof told] === count);
    if (!agrees || sha256 !== frames.sha256())
      throw invalidAt(offset, "a trailer that agrees with what came before", "another");
    await frames.end();
    return {
      ...counts,
      header,
      bytes: frames.offset,
      fragmentBytes: this.#fragmentBytes,
      damage: this.#damage,
      sha256,
    };
  }

  get #expected(): string {
    return this.#partition === undefined
      ? "more partitions, hosts or the trailer"
      : `the rest of block ${this.#partition.blockStartMs} of ${this.#partition.hostId}`;
  }

  #add({ partition, fragments, end }: FragmentBlock, offset: number): void {
    this.#partition ??= partition;
    const { hostId, blockStartMs } = this.#partition;
    assertHostId(hostId, offset);
    if (partition.hostId !== hostId || partition.blockStartMs !== blockStartMs)
      throw invalidAt(offset, this.#expected, "another partition");
    if (blockStart(hostId, blockStartMs) !== blockStartMs)
      throw invalidAt(offset, "the start of a block", `${blockStartMs} of ${hostId}`);
    for (const fragment of fragments) {
      if (fragment.timestampMs >= blockStartMs + blockMs)
        throw invalidAt(offset, "an instant of the block", `${fragment.timestampMs}`);
      this.#tally.addFragment(fragment.timestampMs);
      this.#ids.add(fragment);
      this.#fragmentBytes += fragment.bytes.length;
    }
    this.#fragments += fragments.length;
    if (end !== undefined) this.#end(end, offset);
  }

  #end(end: NonNullable<FragmentBlock["end"]>, offset: number): void {
    const isWhole =
      end.fragments === this.#fragments && end.idSumHigh === this.#ids.high && end.idSumLow === this.#ids.low;
    if (!isWhole) throw invalidAt(offset, "the fragments that were exported", "others");
    const { hostId, blockStartMs } = this.#partition!;
    this.#tally.addPartition(end.damage !== "");
    if (end.damage !== "" && this.#damage.length < damageMax)
      this.#damage.push(`${hostId}, block ${blockStartMs}: ${end.damage}`);
    this.#partition = undefined;
    this.#ids = new IdSum();
    this.#fragments = 0;
  }
}

function assertHostId(hostId: string, offset: number): void {
  if (!hostIdPattern.test(hostId))
    throw invalidAt(offset, "the id of a host", JSON.stringify(hostId.slice(0, 128)));
}
