import { RingError } from "./errors.ts";
import type { MemberOptions } from "./member.ts";
import type { RingParameters } from "./parameters.ts";
import { createRing, type HashRing } from "./ring.ts";
import type { RingHash } from "./ring-hash.ts";
import { FORMAT_VERSION } from "./serialized-ring.ts";

/**
 * Reads what {@link HashRing.serialize} wrote, by this version or an earlier one, and checks that the ring built from it
 * is the one that was written.
 *
 * @param hashes - hashes that the text may name besides the built-in ones
 * @throws {RingError} RING_MALFORMED, RING_UNSUPPORTED_VERSION, RING_UNKNOWN_HASH, RING_FINGERPRINT_MISMATCH
 */
export function deserializeRing(
  text: string,
  { hashes = [] }: { hashes?: readonly RingHash[] } = {},
): HashRing {
  const { version, fingerprint, parameters, members } = parseObject(text);
  if (typeof version !== "number") throw malformed(`expected a version number, got ${typeof version}`);
  if (version !== FORMAT_VERSION) {
    const message = `expected a ring of format version ${FORMAT_VERSION}, got ${version}`;
    throw new RingError("RING_UNSUPPORTED_VERSION", message);
  }
  if (typeof fingerprint !== "string") throw malformed(`expected a fingerprint, got ${typeof fingerprint}`);
  const ring = rebuild(parameters, members, hashes);
  if (ring.fingerprint !== fingerprint) {
    const message = `expected a ring with fingerprint ${fingerprint}, got ${ring.fingerprint}`;
    throw new RingError("RING_FINGERPRINT_MISMATCH", message);
  }
  return ring;
}

function rebuild(parameters: unknown, members: unknown, hashes: readonly RingHash[]): HashRing {
  if (!isObject(parameters)) throw malformed("expected parameters to be an object");
  if (!Array.isArray(members)) throw malformed("expected members to be a list");
  try {
    // createRing checks every field, whatever its declared type.
    return createRing({
      parameters: parameters as Partial<RingParameters>,
      members: members as MemberOptions[],
      hashes,
    });
  } catch (error) {
    if (error instanceof RingError && error.code === "RING_UNKNOWN_HASH") throw error;
    throw malformed(error instanceof Error ? error.message : String(error), error);
  }
}

function parseObject(text: string): Record<string, unknown> {
  let value: unknown;
  try {
    value = JSON.parse(text);
  } catch (error) {
    throw malformed("expected JSON", error);
  }
  if (!isObject(value)) throw malformed("expected a JSON object");
  return value;
}

function isObject(value: unknown): value is Record<string, unknown> {
  return typeof value === "object" && value !== null && !Array.isArray(value);
}

function malformed(message: string, cause?: unknown): RingError {
  return new RingError("RING_MALFORMED", message, { cause });
}
