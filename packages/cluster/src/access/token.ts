import { hash, timingSafeEqual } from "node:crypto";
import { assertHostPattern } from "./host-pattern.ts";
import type { Role } from "./role.ts";

/** What a token lets its bearer do. */
export interface TokenGrant {
  readonly role: Exclude<Role, "peer">;
  /** Hosts that it may report for, or ask for, as of {@link fitsPattern}; `*` is all. */
  readonly hostPattern: string;
  /** When it ends, milliseconds since the Unix epoch; never without. */
  readonly expiresAtMs?: number | undefined;
}

/** A token as the cluster keeps it: not the secret, but its hash. */
export interface TokenRecord extends TokenGrant {
  /** Names it in lists, logs and the audit; 16 hexadecimal digits. */
  readonly id: string;
  /** SHA-256 of the secret. */
  readonly secretHash: Uint8Array;
}

/** Bytes of the secret: 256 bits. */
export const tokenSecretBytes = 32;
/** Bytes of the id. */
export const tokenIdBytes = 8;

const form = /^mon_([0-9a-f]{16})_([A-Za-z0-9_-]{43})$/;

/**
 * Makes a token.
 *
 * @param random - {@link tokenIdBytes} and {@link tokenSecretBytes}, of a cryptographic source; nobody may see them
 * @returns the token's text, to be shown once, and what is kept
 * @throws {RangeError} for a host pattern that is none, or too few bytes
 */
export function createToken(random: Uint8Array, grant: TokenGrant): { text: string; record: TokenRecord } {
  assertHostPattern(grant.hostPattern);
  if (random.length !== tokenIdBytes + tokenSecretBytes) {
    throw new RangeError(`expected ${tokenIdBytes + tokenSecretBytes} random bytes, got ${random.length}`);
  }
  const id = Buffer.from(random.subarray(0, tokenIdBytes)).toString("hex");
  const secret = Buffer.from(random.subarray(tokenIdBytes)).toString("base64url");
  return { text: `mon_${id}_${secret}`, record: { ...grant, id, secretHash: hashOf(secret) } };
}

/** The record that a token's text belongs to, whether it still holds or not; undefined when there is none. */
export function findToken(text: string, records: ReadonlyMap<string, TokenRecord>): TokenRecord | undefined {
  const [, id, secret] = form.exec(text) ?? [];
  if (id === undefined || secret === undefined) return undefined;
  const record = records.get(id);
  // As much work for an id that nobody has: how long it takes tells nothing.
  const isSecret = timingSafeEqual(hashOf(secret), record?.secretHash ?? unknownHash);
  return isSecret ? record : undefined;
}

const unknownHash = new Uint8Array(32);

function hashOf(secret: string): Uint8Array {
  return hash("sha256", secret, "buffer");
}
