import { crc32 } from "node:zlib";
import { viewOf } from "./key.ts";

/** Bytes of the checksum before a payload. */
const sealBytes = 4;

/**
 * A value of a payload: its checksum, CRC-32 over the key and the payload, then the payload. A record that was moved to
 * another key does not pass either.
 */
export function sealed(key: Uint8Array, payload: Uint8Array): Uint8Array {
  const value = new Uint8Array(sealBytes + payload.length);
  value.set(payload, sealBytes);
  viewOf(value).setUint32(0, crc32(payload, crc32(key)));
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
