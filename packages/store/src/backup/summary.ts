/** Where and when a backup was made. */
export interface BackupHeader {
  /** In milliseconds since the Unix epoch. What was acknowledged before is in the backup. */
  readonly createdAtMs: number;
  /** The version of mon that made it, as semver. */
  readonly monVersion: string;
  /** `MetricStore.kind` of the store. */
  readonly storeKind: string;
  /** What names the store's content, where it has such a thing; else empty. */
  readonly storeId: string;
  /** The broker whose store it was; empty when there was none. */
  readonly brokerId: string;
}

/** What a backup holds. */
export interface BackupCounts {
  /** Partitions: hours of a host. */
  readonly partitions: number;
  /** Partitions of which not everything could be read when the backup was made; what could is there. */
  readonly partitionsDamaged: number;
  readonly fragments: number;
  /** Hosts whose metadata is there. */
  readonly hosts: number;
  /** The oldest and the newest instant, in milliseconds since the Unix epoch; null when there are no fragments. */
  readonly startMs: number | null;
  readonly endMs: number | null;
}

/** A backup that was read to its end, and found whole. */
export interface BackupSummary extends BackupCounts {
  readonly header: BackupHeader;
  /** Bytes in all. */
  readonly bytes: number;
  /** Bytes of fragments, unpacked. */
  readonly fragmentBytes: number;
  /** What could not be read when the backup was made, for people: the first hundred. */
  readonly damage: readonly string[];
  /** SHA-256 of everything before the trailer, in hexadecimal. */
  readonly sha256: string;
}

/** Adds up what a backup holds, while it is written or read. */
export class BackupTally implements BackupCounts {
  partitions = 0;
  partitionsDamaged = 0;
  fragments = 0;
  hosts = 0;
  startMs: number | null = null;
  endMs: number | null = null;

  addFragment(timestampMs: number): void {
    this.fragments++;
    if (this.startMs === null || timestampMs < this.startMs) this.startMs = timestampMs;
    if (this.endMs === null || timestampMs > this.endMs) this.endMs = timestampMs;
  }

  addPartition(isDamaged: boolean): void {
    this.partitions++;
    if (isDamaged) this.partitionsDamaged++;
  }

  /** The counts now. */
  get counts(): BackupCounts {
    const { partitions, partitionsDamaged, fragments, hosts, startMs, endMs } = this;
    return { partitions, partitionsDamaged, fragments, hosts, startMs, endMs };
  }
}
