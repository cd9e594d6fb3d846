/**
 * Backups of a store: bytes that any {@link MetricStore} can be written to and restored from, checked as they are read.
 * Nothing here knows of files: bytes go in and come out as async iterables.
 *
 * The bytes are a preamble ("MONBAK" and a version, 8 bytes) and frames: type (1 byte), length of the payload (4 bytes,
 * big-endian), payload, CRC-32 (4 bytes) of these and of the checksum before. In this order: a header (JSON), fragments
 * partition by partition (packed by zstd, 256 KiB at a time; the last of a partition has their number and the sum of
 * their ids), hosts (JSON, packed), and a trailer (JSON) with all counts and a SHA-256 of everything before it.
 *
 * @packageDocumentation
 */
export { BackupError } from "./backup/backup-error.ts";
export type { Pieces } from "./backup/byte-source.ts";
export { type BackupSource, type CreateBackupOptions, createBackup } from "./backup/create-backup.ts";
export type { HostDocument } from "./backup/document.ts";
export { type BackupPart, readBackup, verifyBackup } from "./backup/read-backup.ts";
export {
  type RestoreBackupOptions,
  type RestoreResult,
  type RestoreTarget,
  restoreBackup,
} from "./backup/restore-backup.ts";
export type { BackupCounts, BackupHeader, BackupSummary } from "./backup/summary.ts";
