import { crc32 } from "node:zlib";
import { viewOf } from "./key.ts";

/** Bytes that {@link seal} puts before a payload. */
export const sealBytes = 4;

/**
 * Writes the checksum of a record into the first {@link sealBytes} of its value: CRC-32 over the key, then the payload
 * that follows. A record that was moved to another key does not pass either.
 */
export function seal(key: Uint8Array, value: Uint8Array): void {
  const checksum = crc32(value.subarray(sealBytes), crc32(key));
  value[0] = checksum >>> 24;
  value[1] = checksum >>> 16;
  value[2] = checksum >>> 8;
  value[3] = checksum;
}

/** A sealed value of a payload. */
export function sealed(key: Uint8Array, payload: Uint8Array): Uint8Array {
  const value = new Uint8Array(sealBytes + payload.length);
  value.set(payload, sealBytes);
  seal(key, value);
  return value;
}

/** The payload of a record, a view of `value`; undefined when the checksum does not hold. */
export function unseal(key: Uint8Array, value: Uint8Array): Uint8Array | undefined {
  if (value.length < sealBytes) return undefined;
  const payload = value.subarray(sealBytes);
  return viewOf(value).getUint32(0) === crc32(payload, crc32(key)) ? payload : undefined;
}

const textEncoder = new TextEncoder();
const textDecoder = new TextDecoder();

/** The payload of a record that holds JSON. */
export function jsonPayload(value: unknown): Uint8Array {
  return textEncoder.encode(JSON.stringify(value));
}

/** What a payload of {@link jsonPayload} holds; the caller knows of what type it is, since the checksum held. */
export function jsonOfPayload<T>(payload: Uint8Array): T {
  return JSON.parse(textDecoder.decode(payload)) as T;
}
