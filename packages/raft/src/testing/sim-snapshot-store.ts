import { crc32 } from "node:zlib";
import type { LogPosition } from "../entry.ts";
import { RaftError } from "../errors.ts";
import type { SnapshotMeta, SnapshotPoint } from "../snapshot.ts";
import type { SnapshotSink, SnapshotStore } from "../snapshot-store.ts";
import { frame, type SimDisk, unframe } from "./sim-disk.ts";

/** A snapshot that is durable. */
export interface SimSnapshotFile {
  readonly meta: SnapshotMeta;
  readonly bytes: Uint8Array;
}

/** A {@link SnapshotStore} on a {@link SimDisk}: written beside, then renamed. */
export class SimSnapshotStore implements SnapshotStore {
  readonly #disk: SimDisk;
  readonly #files: SimSnapshotFile[];
  #sinks = 0;

  /** @param files - what is durable, ascending by index and term; outlives the store */
  constructor(disk: SimDisk, files: SimSnapshotFile[]) {
    this.#disk = disk;
    this.#files = files;
  }

  async latest(): Promise<SnapshotMeta | undefined> {
    for (let sink = 0; sink < MAX_SINKS; sink++) {
      const tail = this.#disk.takeTail(fileName(sink));
      const payload = tail === undefined ? undefined : unframe(tail);
      if (payload !== undefined) {
        const { meta, bytes } = JSON.parse(new TextDecoder().decode(payload)) as {
          meta: SnapshotMeta;
          bytes: string;
        };
        this.#add({ meta, bytes: new Uint8Array(Buffer.from(bytes, "base64")) });
      }
    }
    return await this.#disk.read(() => this.#files.at(-1)?.meta);
  }

  async create(point: SnapshotPoint): Promise<SnapshotSink> {
    const name = fileName(this.#sinks++ % MAX_SINKS);
    let chunks: Uint8Array[] | undefined = [];
    return {
      write: async (chunk) => {
        chunks?.push(new Uint8Array(chunk));
      },
      commit: async () => {
        const bytes = new Uint8Array(Buffer.concat(chunks ?? []));
        chunks = undefined;
        const { index, term, conf, confIndex } = point;
        const meta = { index, term, conf, confIndex, sizeBytes: bytes.byteLength, crc32: crc32(bytes) };
        await this.#disk.write(name, {
          encode: () => {
            const base64 = Buffer.from(bytes).toString("base64");
            return frame(new TextEncoder().encode(JSON.stringify({ meta, bytes: base64 })));
          },
          sync: () => this.#add({ meta, bytes }),
        });
        return meta;
      },
      abort: async () => {
        chunks = undefined;
      },
    };
  }

  async *open(position: LogPosition): AsyncIterable<Uint8Array> {
    const file = await this.#disk.read(() => this.#files.find(({ meta }) => isAt(meta, position)));
    if (file === undefined) {
      throw new RaftError(
        "RAFT_SNAPSHOT_MISSING",
        `expected a snapshot at ${position.index}/${position.term}`,
        { index: position.index },
      );
    }
    for (let from = 0; from < file.bytes.length; from += CHUNK_BYTES) {
      yield file.bytes.slice(from, from + CHUNK_BYTES);
    }
  }

  async prune(index: number): Promise<void> {
    const newest = this.#files.at(-1);
    const kept = this.#files.filter((file) => file.meta.index >= index || file === newest);
    this.#files.splice(0, this.#files.length, ...kept);
  }

  async close(): Promise<void> {}

  #add(file: SimSnapshotFile): void {
    const files = this.#files.filter(({ meta }) => !isAt(meta, file.meta));
    files.push(file);
    files.sort((a, b) => a.meta.index - b.meta.index || a.meta.term - b.meta.term);
    this.#files.splice(0, this.#files.length, ...files);
  }
}

function isAt(a: LogPosition, b: LogPosition): boolean {
  return a.index === b.index && a.term === b.term;
}

function fileName(sink: number): string {
  return `snapshot-${sink}`;
}

/** One that is taken and one that is received may be written at once. */
const MAX_SINKS = 4;
const CHUNK_BYTES = 256;
