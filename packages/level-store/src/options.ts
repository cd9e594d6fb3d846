/** How a level store behaves. All sizes in bytes. */
export interface LevelStoreOptions {
  /**
   * Reports in memory and in the journal before they become chunks, 32 MiB; up to twice as much while that is done. It is
   * also what opening reads. Low values make many small chunks.
   */
  readonly generationBytes?: number;
  /**
   * How long reports stay in the journal when few come, 1,800,000 ms; looked at when something is written or packed. Low
   * values make many small chunks, high ones put off packing.
   */
  readonly generationAgeMs?: number;
  /** A record of the journal, or a batch of LevelDB, that has reached this takes nothing more, 1 MiB. */
  readonly maxBatchBytes?: number;
  /**
   * Reports that may wait to be written, 16 MiB; a write beyond it is answered `retry` and nothing of it is taken. Too
   * low, and writers are refused while a slow disk syncs once.
   */
  readonly maxQueuedBytes?: number;
  /**
   * Series that a host may have before new ones are refused, 50,000. It bounds what one host can take of memory.
   */
  readonly maxSeriesPerHost?: number;
  /** Samples in one slice of a read, 200,000; a slice may exceed it by the samples of one instant. */
  readonly maxSliceSamples?: number;
  /** LevelDB's log and memory table, 16 MiB; up to two of them are in memory, and opening replays one. */
  readonly writeBufferBytes?: number;
  /** LevelDB's cache of table blocks, 16 MiB. */
  readonly cacheBytes?: number;
  /** LevelDB's table files, 4 MiB each. */
  readonly tableFileBytes?: number;
  /**
   * Bytes of chunks in LevelDB that opening verifies, 64 MiB, besides all that it reads; the rest is left to `verify`. High
   * values take that much longer to open: some tenth of a second for each 64 MiB.
   */
  readonly openCheckBytes?: number;
  /** Whether LevelDB compresses table blocks with Snappy, true. */
  readonly compression?: boolean;
  /** The first wait before the directory is reopened after a failure, 250 ms; it doubles with each attempt. */
  readonly reopenDelayMsMin?: number;
  /** The longest wait before the directory is reopened, 10,000 ms. */
  readonly reopenDelayMsMax?: number;
}

const MiB = 1024 * 1024;

/** What holds where an option is not given. */
export const defaults: Readonly<Required<LevelStoreOptions>> = Object.freeze({
  generationBytes: 32 * MiB,
  generationAgeMs: 1_800_000,
  maxBatchBytes: MiB,
  maxQueuedBytes: 16 * MiB,
  maxSeriesPerHost: 50_000,
  maxSliceSamples: 200_000,
  writeBufferBytes: 16 * MiB,
  cacheBytes: 16 * MiB,
  tableFileBytes: 4 * MiB,
  openCheckBytes: 64 * MiB,
  compression: true,
  reopenDelayMsMin: 250,
  reopenDelayMsMax: 10_000,
});

const ranges: Readonly<Record<Exclude<keyof LevelStoreOptions, "compression">, readonly [number, number]>> = {
  generationBytes: [1, 256 * MiB],
  generationAgeMs: [1, 86_400_000],
  maxBatchBytes: [1, 64 * MiB],
  maxQueuedBytes: [1, 1024 * MiB],
  maxSeriesPerHost: [1, 10_000_000],
  maxSliceSamples: [1, 10_000_000],
  writeBufferBytes: [64 * 1024, 32 * MiB],
  cacheBytes: [0, 1024 * MiB],
  tableFileBytes: [MiB, 64 * MiB],
  openCheckBytes: [0, Number.MAX_SAFE_INTEGER],
  reopenDelayMsMin: [1, 60_000],
  reopenDelayMsMax: [1, 600_000],
};

/** Fills in the defaults. @throws {RangeError} naming the option that is out of range, with the value it got */
export function resolveOptions(options: LevelStoreOptions = {}): Required<LevelStoreOptions> {
  const resolved = { ...defaults, ...options };
  for (const [name, [min, max]] of Object.entries(ranges)) {
    // Object.entries forgets that the names are those of `ranges`.
    const value = resolved[name as keyof typeof ranges];
    if (Number.isInteger(value) && value >= min && value <= max) continue;
    throw new RangeError(`expected ${name} to be an integer from ${min} to ${max}, got ${value}`);
  }
  return resolved;
}
