import type { ServerAddress } from "../wire/link.ts";

/** What a primary says of itself that decides what an acknowledgement is worth. */
export interface ServerFacts {
  readonly address: ServerAddress;
  /** `host:port`. */
  readonly name: string;
  /** `7.0.15` */
  readonly version: string;
  /** Replicas that are connected and in sync. */
  readonly replicas: number;
  /** Whether it writes an append-only file, and when that is synced; undefined when the user may not ask. */
  readonly appendOnly: boolean;
  readonly appendFsync: "always" | "everysec" | "no" | undefined;
  /** When it saves snapshots, as in redis.conf; empty: never; undefined when the user may not ask. */
  readonly save: string | undefined;
  /** Bytes it may use; 0: no limit. */
  readonly maxMemoryBytes: number;
  /** What it does at that limit: anything but `noeviction` throws acknowledged data away. */
  readonly evictionPolicy: string;
  /** Replicas below which it refuses writes; undefined when the user may not ask. */
  readonly minReplicasToWrite: number | undefined;
}

/** What of a primary's configuration an operator should know of, in words; empty when nothing. */
export function warningsOf(facts: ServerFacts): string[] {
  const warnings: string[] = [];
  const { name, evictionPolicy, maxMemoryBytes } = facts;
  if (evictionPolicy !== "noeviction" && maxMemoryBytes > 0)
    warnings.push(
      `redis at ${name} has maxmemory-policy ${evictionPolicy}: at ${maxMemoryBytes} bytes it deletes what it had acknowledged; set noeviction`,
    );
  if (!facts.appendOnly && facts.save === "")
    warnings.push(`redis at ${name} persists nothing: a restart empties it; set appendonly yes, or save`);
  return warnings;
}
