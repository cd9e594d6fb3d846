import type { Member } from "./member.ts";
import type { RingParameters } from "./parameters.ts";

/** All that a ring follows from. */
export interface RingRecord {
  readonly parameters: RingParameters;
  /** In bytewise order of their ids. */
  readonly members: readonly Member[];
}

/** The version that {@link encodeRing} writes. A reader takes this and every earlier one. */
export const FORMAT_VERSION = 1;

/** The record as canonical JSON: no spaces, fields in the order below, numbers as ECMAScript prints them. */
export function encodeRecord(record: RingRecord): string {
  return JSON.stringify(canonical(record));
}

/** The record as canonical JSON, behind format version and fingerprint. */
export function encodeRing(record: RingRecord, fingerprint: string): string {
  return JSON.stringify({ version: FORMAT_VERSION, fingerprint, ...canonical(record) });
}

function canonical({ parameters, members }: RingRecord): RingRecord {
  const { vnodes, hash, seed, shardBucketMs, replicationFactor } = parameters;
  return {
    parameters: { vnodes, hash, seed, shardBucketMs, replicationFactor },
    members: members.map(({ id, weight, zone }) =>
      zone === undefined ? { id, weight } : { id, weight, zone },
    ),
  };
}
