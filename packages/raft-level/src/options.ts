/** How storage behaves. All sizes in bytes. */
export interface LevelStorageOptions {
  /**
   * The largest `data` of an entry, 16 MiB; an append with a larger one fails with RAFT_PROPOSAL_TOO_LARGE. Must be at least
   * the node's own `maxEntryBytes`; it keeps a mistake from filling the disk.
   */
  readonly maxEntryBytes?: number;
  /**
   * Snapshots that are kept, 3; a new one removes the oldest beyond that. An older one helps only when the newest is
   * damaged and the log still reaches back to it.
   */
  readonly maxSnapshots?: number;
  /**
   * LevelDB's log and memory table, 16 MiB; up to two of them are in memory, and opening replays them. Low values make
   * it write tables often.
   */
  readonly writeBufferBytes?: number;
  /** LevelDB's cache of table blocks, 4 MiB; entries are read seldom, and then in order. */
  readonly cacheBytes?: number;
  /** LevelDB's table files, 4 MiB each. */
  readonly tableFileBytes?: number;
}

const MiB = 1024 * 1024;

/** What holds where an option is not given. */
export const defaults: Readonly<Required<LevelStorageOptions>> = Object.freeze({
  maxEntryBytes: 16 * MiB,
  maxSnapshots: 3,
  writeBufferBytes: 16 * MiB,
  cacheBytes: 4 * MiB,
  tableFileBytes: 4 * MiB,
});

const ranges: Readonly<Record<keyof LevelStorageOptions, readonly [number, number]>> = {
  maxEntryBytes: [1, 256 * MiB],
  maxSnapshots: [1, 1_000],
  writeBufferBytes: [64 * 1024, 256 * MiB],
  cacheBytes: [0, 1024 * MiB],
  tableFileBytes: [MiB, 64 * MiB],
};

/** Fills in the defaults. @throws {RangeError} naming the option that is out of range, with the value it got */
export function resolveOptions(options: LevelStorageOptions = {}): Required<LevelStorageOptions> {
  const resolved = { ...defaults, ...options };
  for (const [name, [min, max]] of Object.entries(ranges)) {
    // Object.entries forgets that the names are those of `ranges`.
    const value = resolved[name as keyof typeof ranges];
    if (Number.isInteger(value) && value >= min && value <= max) continue;
    throw new RangeError(`expected ${name} to be an integer from ${min} to ${max}, got ${value}`);
  }
  return resolved;
}
