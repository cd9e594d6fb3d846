import { setImmediate as nextTurn } from "node:timers/promises";
import {
  blockMs,
  ColumnBuilder,
  type EncodedChunk,
  encodeChunk,
  type PackResult,
  type Partition,
  StoreError,
} from "@mon/store";
import { chunkField, columnField } from "../keys/chunk-field.ts";
import { dayMs, dayStart, type KeySpace } from "../keys/key-space.ts";
import { ask, bytesOf, textOf } from "../read/ask.ts";
import { type BlockContents, columnsOf, foldColumns, readBlock } from "../read/block-contents.ts";
import type { FoundChunk } from "../read/chunk-reader.ts";
import type { FragmentPlace } from "../read/fragment-reader.ts";
import type { Mirror } from "../read/mirror.ts";
import type { Servers } from "../servers/servers.ts";
import { slotOf } from "../servers/slot.ts";
import { CommandWriter } from "../wire/command-writer.ts";
import { type Reply, ReplyError } from "../wire/reply.ts";
import { replaceScript } from "../write/scripts.ts";

/** What packing needs. */
export interface PackerDeps {
  readonly servers: Servers;
  readonly keys: KeySpace;
  readonly mirror: Mirror;
  readonly now: () => number;
  readonly retentionMs: (hostId: string) => number;
  /** Whether a block is this broker's to pack. Two that pack the same one do no harm, only work. */
  readonly owns: (partition: Partition) => boolean;
}

/** A packed block is packed again when so many fragments came late, or when the last of them is so old (R17). */
const lateFragments = 64;
const lateMs = 3_600_000;
/** Blocks whose late fragments are kept in mind; beyond it they are seen as new, and wait an hour more. */
const lateBlocksMax = 100_000;
/** A block of more than this stays as it is: packing it would take that much memory a few times over. */
const packBytesMax = 64 * 1024 * 1024;
/** Hosts asked about in one round trip. */
const hostsPerPage = 512;
/** Fields deleted in one call of a script, which holds up the server. */
const fieldsPerCall = 2_000;

/** What was left in a block when it was last looked at. */
interface Leftover {
  readonly fragments: number;
  /** When there were so many for the first time. */
  readonly sinceMs: number;
}

/** What one call deletes. */
interface Replaced {
  readonly chunkFields: readonly Uint8Array[];
  readonly columnFields: readonly Uint8Array[];
  /** Fragments by bucket. */
  readonly buckets: ReadonlyMap<number, readonly FragmentPlace[]>;
}

/**
 * Packs the fragments and chunks of a closed block into one chunk: writes it, then deletes exactly what it was made of
 * (R13). No lock is needed; two packers make chunks that fold, and a crash leaves copies, never a hole.
 */
export class Packer {
  readonly #deps: PackerDeps;
  readonly #leftovers = new Map<string, Leftover>();

  constructor(deps: PackerDeps) {
    this.#deps = deps;
  }

  /**
   * Packs blocks that ended at or before an instant.
   *
   * @throws {StoreError} STORE_UNAVAILABLE; what was packed by then stays packed
   */
  async pack(closedBeforeMs: number, signal?: AbortSignal): Promise<PackResult> {
    const result = { blocks: 0, bytesBefore: 0, bytesAfter: 0 };
    for await (const partition of this.#unpacked(closedBeforeMs)) {
      if (signal?.aborted === true) break;
      if (!this.#deps.owns(partition)) continue;
      const packed = await this.#packOne(partition);
      await nextTurn();
      if (packed === undefined) continue;
      result.blocks++;
      result.bytesBefore += packed.bytesBefore;
      result.bytesAfter += packed.bytesAfter;
    }
    return result;
  }

  /** Blocks that may have fragments, host by host. */
  async *#unpacked(closedBeforeMs: number): AsyncGenerator<Partition> {
    const { servers, keys, mirror } = this.#deps;
    await mirror.refresh();
    const hostIds = Array.from(mirror.registered(), ({ hostId }) => hostId);
    for (let begin = 0; begin < hostIds.length; begin += hostsPerPage) {
      const page = hostIds.slice(begin, begin + hostsPerPage);
      const replies = await ask(
        servers,
        page.map((hostId) => ({
          slot: slotOf(hostId),
          encode: (commands) =>
            commands
              .begin(4)
              .text("ZRANGEBYSCORE")
              .text(keys.unpacked(hostId))
              .text("-inf")
              .integer(Math.floor(closedBeforeMs) - blockMs),
        })),
      );
      for (const [i, hostId] of page.entries()) {
        for (const member of bytesOf(replies[i]![0])) yield { hostId, blockStartMs: Number(textOf(member)) };
      }
    }
  }

  /** @returns undefined when the block is better left as it is for now */
  async #packOne(partition: Partition): Promise<{ bytesBefore: number; bytesAfter: number } | undefined> {
    const contents = await readBlock(this.#deps, partition);
    if (!this.#isDue(partition, contents)) return undefined;
    const bytesBefore = bytesOfContents(contents);
    const chunk = bytesBefore > packBytesMax ? undefined : encoded(contents);
    const bytesAfter = chunk === undefined ? Number.POSITIVE_INFINITY : bytesOfChunk(chunk);
    if (chunk === undefined || (contents.chunks.length < 2 && bytesAfter >= bytesBefore)) {
      this.#remember(partition, contents.fragments.length);
      return undefined;
    }
    this.#leftovers.delete(nameOf(partition));
    await this.write(partition, chunk);
    const isReplaced = await this.replace(partition, chunk, contents);
    return isReplaced ? { bytesBefore, bytesAfter } : undefined;
  }

  /** Writes a chunk, all of it or nothing (R16). */
  async write({ hostId, blockStartMs }: Partition, chunk: EncodedChunk): Promise<void> {
    const { keys, retentionMs } = this.#deps;
    const day = dayStart(blockStartMs);
    const field = chunkField({ blockStartMs, ...chunk });
    const apart = [...chunk.columns.entries()].filter(([, column]) => column.length > 0);
    const commands = new CommandWriter();
    commands.begin(1).text("MULTI");
    if (apart.length > 0) {
      commands
        .begin(2 + 2 * apart.length)
        .text("HSET")
        .text(keys.columns(hostId, day));
      for (const [index, column] of apart) commands.bytes(columnField(field, index)).bytes(column);
    }
    commands.begin(4).text("HSET").text(keys.chunks(hostId, day)).bytes(field).bytes(chunk.header);
    const keptMs = retentionMs(hostId);
    if (Number.isFinite(keptMs)) {
      for (const key of [keys.chunks(hostId, day), keys.columns(hostId, day)])
        commands
          .begin(3)
          .text("PEXPIREAT")
          .text(key)
          .integer(day + dayMs + blockMs + keptMs);
    }
    commands.begin(1).text("EXEC");
    await this.#send(hostId, commands);
  }

  /**
   * Deletes what a chunk was made of, but for that chunk itself, provided that the server has it.
   *
   * @returns whether it had
   */
  async replace(partition: Partition, chunk: EncodedChunk, contents: BlockContents): Promise<boolean> {
    const { blockStartMs } = partition;
    const field = chunkField({ blockStartMs, ...chunk });
    const others = contents.chunks.filter((one) => Buffer.compare(one.place.field, field) !== 0);
    const chunkFields = others.map(({ place }) => place.field);
    const columnFields = others.flatMap(columnFieldsOf);
    const pages = pagesOf(contents.places);
    const last = pages.pop()!;
    for (const page of pages) {
      const isThere = await this.#replacePage(partition, field, {
        chunkFields: [],
        columnFields: [],
        buckets: page,
      });
      if (!isThere) return false;
    }
    // Chunks go with the last page, and the block is packed when none of its buckets has anything left.
    const buckets = new Map(contents.buckets.map((start) => [start, last.get(start) ?? []]));
    return this.#replacePage(partition, field, { chunkFields, columnFields, buckets });
  }

  async #replacePage({ hostId, blockStartMs }: Partition, field: Buffer, page: Replaced): Promise<boolean> {
    const { keys } = this.#deps;
    const { chunkFields, columnFields, buckets } = page;
    const day = dayStart(blockStartMs);
    let args = 5 + chunkFields.length + columnFields.length;
    for (const places of buckets.values()) args += 1 + places.length;
    const commands = new CommandWriter();
    commands
      .begin(7 + buckets.size + args)
      .text("EVALSHA")
      .text(replaceScript.sha)
      .integer(4 + buckets.size)
      .text(keys.chunks(hostId, day))
      .text(keys.columns(hostId, day))
      .text(keys.unpacked(hostId))
      .text(keys.index(hostId));
    for (const start of buckets.keys()) commands.text(keys.metrics(hostId, start));
    commands
      .bytes(field)
      .integer(blockStartMs)
      .integer(blockStartMs + blockMs - 1);
    commands.integer(chunkFields.length);
    for (const one of chunkFields) commands.bytes(one);
    commands.integer(columnFields.length);
    for (const one of columnFields) commands.bytes(one);
    for (const places of buckets.values()) {
      commands.integer(places.length);
      for (const place of places) commands.bytes(place.field);
    }
    const [reply] = await this.#send(hostId, commands);
    return reply === 1;
  }

  async #send(hostId: string, commands: CommandWriter): Promise<readonly Reply[]> {
    const count = commands.commands;
    const [outcome] = await this.#deps.servers.send([
      { slot: slotOf(hostId), commands: commands.take(), count },
    ]);
    if (outcome!.error !== undefined) throw outcome!.error;
    for (const reply of outcome!.replies) {
      if (reply instanceof ReplyError)
        throw new StoreError(
          "STORE_UNAVAILABLE",
          `expected to pack a block of ${hostId}, got: ${reply.message}`,
        );
    }
    return outcome!.replies;
  }

  /** Whether a block is to be packed now (R17), and keeps in mind since when it has so many late fragments. */
  #isDue(partition: Partition, { fragments, chunks }: BlockContents): boolean {
    if (fragments.length === 0 && chunks.length < 2) return false;
    const leftover = this.#leftovers.get(nameOf(partition));
    const isSame = leftover?.fragments === fragments.length;
    if (chunks.length === 0) return !isSame;
    if (chunks.length > 1 || fragments.length >= lateFragments) return true;
    if (isSame && this.#deps.now() - leftover.sinceMs >= lateMs) return true;
    if (!isSame) this.#remember(partition, fragments.length);
    return false;
  }

  #remember(partition: Partition, fragments: number): void {
    if (this.#leftovers.size >= lateBlocksMax) this.#leftovers.clear();
    this.#leftovers.set(nameOf(partition), { fragments, sinceMs: this.#deps.now() });
  }
}

function nameOf({ hostId, blockStartMs }: Partition): string {
  return `${hostId}:${blockStartMs}`;
}

/** The chunk of all that a block holds; undefined when its names and labels are too long for one. */
function encoded({ fragments, chunks }: BlockContents): EncodedChunk | undefined {
  const builder = new ColumnBuilder(() => true);
  for (const { timestampMs, bytes } of fragments) builder.add(timestampMs, bytes);
  const columns = foldColumns([...columnsOf(chunks), ...builder.take()]);
  if (columns.length === 0) return undefined;
  try {
    return encodeChunk(columns, { effort: "small" });
  } catch (error) {
    if (error instanceof RangeError) return undefined;
    throw error;
  }
}

function bytesOfContents({ fragments, chunks }: BlockContents): number {
  let bytes = 0;
  for (const fragment of fragments) bytes += 16 + fragment.bytes.length;
  for (const { header, columns } of chunks) {
    bytes += 16 + header.length;
    for (const column of columns.values()) bytes += 20 + column.length;
  }
  return bytes;
}

function bytesOfChunk({ header, columns }: EncodedChunk): number {
  let bytes = 16 + header.length;
  for (const column of columns) if (column.length > 0) bytes += 20 + column.length;
  return bytes;
}

function columnFieldsOf({ place, columns }: FoundChunk): Buffer[] {
  return [...columns.keys()].map((index) => columnField(place.field, index));
}

/** Fragments by bucket, in as many pages as calls are needed; at least one. */
function pagesOf(places: readonly FragmentPlace[]): Map<number, FragmentPlace[]>[] {
  const pages: Map<number, FragmentPlace[]>[] = [];
  for (let begin = 0; begin < places.length || begin === 0; begin += fieldsPerCall) {
    const page = new Map<number, FragmentPlace[]>();
    for (const place of places.slice(begin, begin + fieldsPerCall)) {
      const known = page.get(place.bucketStartMs);
      if (known === undefined) page.set(place.bucketStartMs, [place]);
      else known.push(place);
    }
    pages.push(page);
  }
  return pages;
}
