/**
 * Storage for `@mon/raft` on a disk: log, hard state and identity in LevelDB, snapshots in files. What cannot be trusted is
 * refused with a {@link RaftError}, never repaired in silence.
 *
 * @packageDocumentation
 */

export type { FileSnapshotStore } from "./file-snapshot-store.ts";
export { formatVersion } from "./head.ts";
export type { LevelLogStore, LogStats } from "./level-log-store.ts";
export type { LevelStableStore } from "./level-stable-store.ts";
export { LevelStorage, type LevelStorageDeps, type StorageSummary } from "./level-storage.ts";
export { defaults, type LevelStorageOptions, resolveOptions } from "./options.ts";
