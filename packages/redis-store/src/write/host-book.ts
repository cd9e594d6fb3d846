import { HostBuckets } from "../keys/host-buckets.ts";
import type { KeySpace } from "../keys/key-space.ts";
import { registryPartition } from "../keys/registry-partition.ts";
import { slotOf } from "../servers/slot.ts";
import { CommandWriter } from "../wire/command-writer.ts";
import type { KnownSeries } from "./known-series.ts";
import { writeScript } from "./scripts.ts";

/** What a book begins with. */
export interface LoadedHost {
  readonly atMs: number;
  /** Empty when the host is not there. */
  readonly version: string;
  readonly series: KnownSeries;
  readonly statements: number;
}

/** What a writer knows of one host, as of a version that Redis checks with each write. */
export class HostBook {
  readonly hostId: string;
  readonly slot: number;
  readonly partition: number;
  readonly buckets: HostBuckets;
  readonly hostKey: string;
  readonly indexKey: string;
  readonly seriesKey: string;
  readonly unpackedKey: string;
  /** By the writer's clock. */
  readonly loadedAtMs: number;
  /** Empty when the host is not there. */
  version: string;
  series: KnownSeries;
  /** The version that the registry has heard of. */
  registeredVersion: string | undefined;
  /** Statements in the host's hash, about. */
  statements: number;
  /** Above so many they are condensed. */
  statementsMax: number;
  /** The open bucket that is known to be in the index and to expire, and the link on which that was said (R14). */
  openBucketMs: number = Number.NaN;
  openIncarnation = 0;
  readonly #keys: KeySpace;
  #headBucketMs = Number.NaN;
  #headVersion = "";
  #head: Uint8Array = new Uint8Array(0);

  constructor(hostId: string, keys: KeySpace, bucketMs: number, loaded: LoadedHost) {
    this.hostId = hostId;
    this.slot = slotOf(hostId);
    this.partition = registryPartition(hostId);
    this.buckets = new HostBuckets(hostId, bucketMs);
    this.hostKey = keys.host(hostId);
    this.indexKey = keys.index(hostId);
    this.seriesKey = keys.series(hostId);
    this.unpackedKey = keys.unpacked(hostId);
    this.loadedAtMs = loaded.atMs;
    this.version = loaded.version;
    this.series = loaded.series;
    this.statements = loaded.statements;
    this.statementsMax = statementsMaxAfter(loaded.statements);
    this.#keys = keys;
  }

  bucketKey(bucketStartMs: number): string {
    return this.#keys.metrics(this.hostId, bucketStartMs);
  }

  /** Arguments, encoded, with which each plain write to a bucket begins: the script, its keys, the version. */
  writeHead(bucketStartMs: number): Uint8Array {
    if (bucketStartMs === this.#headBucketMs && this.version === this.#headVersion) return this.#head;
    scratch
      .text("EVALSHA")
      .text(writeScript.sha)
      .text("2")
      .text(this.hostKey)
      .text(this.bucketKey(bucketStartMs))
      .text(this.version);
    this.#head = scratch.take();
    this.#headBucketMs = bucketStartMs;
    this.#headVersion = this.version;
    return this.#head;
  }
}

const scratch = new CommandWriter();

/** Statements that are always allowed; and twice those that were left the last time. */
export function statementsMaxAfter(statements: number): number {
  return 2 * statements + 32;
}
