/**
 * An embedded store of metric samples: the `MetricStore` of `@mon/store` in a directory of one machine, with a journal
 * of group-committed, synced, checksummed records, and chunks in LevelDB.
 *
 * @packageDocumentation
 */

export { BlockDecoder, type BlockDecoderOptions } from "./block-decoder.ts";
export { ChunkMaker } from "./chunk-maker.ts";
export {
  LevelStore,
  type LevelStoreDeps,
  type LevelStoreLogger,
  type LevelStoreStats,
} from "./level-store.ts";
export { defaults, type LevelStoreOptions, resolveOptions } from "./options.ts";
export { formatVersion } from "./version.ts";
