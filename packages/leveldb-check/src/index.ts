/**
 * Examines the files of a LevelDB that is closed by the checksums that LevelDB gave them, and takes what is damaged out of
 * its tables. Reads through an interface; opens nothing itself.
 *
 * @packageDocumentation
 */

export { type BlockHandle, isSoundBlock } from "./block.ts";
export { currentManifest } from "./current.ts";
export { LevelDbError, type LevelDbErrorCode } from "./errors.ts";
export { type Examination, type ExaminationOptions, examine } from "./examination.ts";
export { fileName, type LevelDbFiles, type OpenFile, tableName } from "./files.ts";
export { encodeManifest, type Manifest, manifestOf, type TableEntry } from "./manifest.ts";
export {
  assertSoundTable,
  type DataBlock,
  type KeySpan,
  readStructure,
  recoverStructure,
  remainsOf,
  spanOf,
  type TableRemains,
  type TableStructure,
  userKey,
} from "./table.ts";
