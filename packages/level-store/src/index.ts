/**
 * An embedded store of metric samples on LevelDB: the `MetricStore` of `@mon/store` in a directory of one machine, with
 * group-committed, synced, checksummed writes.
 *
 * @packageDocumentation
 */

export { LevelStore, type LevelStoreDeps, type LevelStoreLogger } from "./level-store.ts";
export { defaults, type LevelStoreOptions, resolveOptions } from "./options.ts";
export { formatVersion } from "./version.ts";
