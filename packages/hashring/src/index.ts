/**
 * A consistent-hash ring: who owns a key, and what moves when members change.
 *
 * {@link createRing} builds an immutable {@link HashRing}; {@link plan} compares two. All else here is the vocabulary
 * of those two, and the functions by which other programs can compute the same positions.
 *
 * @packageDocumentation
 */
export { bucketOffset, bucketStart, shardKey } from "./bucket.ts";
export { crc32 } from "./crc32.ts";
export { deserializeRing } from "./deserialize.ts";
export { RingError, type RingErrorCode } from "./errors.ts";
export type { Member, MemberOptions } from "./member.ts";
export { defaults, type RingParameters } from "./parameters.ts";
export { type Movement, movementAt, plan } from "./plan.ts";
export { type Arc, createRing, type HashRing, type RingOptions } from "./ring.ts";
export { fmix32, type RingHash } from "./ring-hash.ts";
