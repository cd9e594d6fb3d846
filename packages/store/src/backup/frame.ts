import { crc32 } from "node:zlib";

/** The first bytes of every backup: "MONBAK" and the version of the format. */
export const preamble: Uint8Array = Uint8Array.of(0x4d, 0x4f, 0x4e, 0x42, 0x41, 0x4b, 0, 1);

/** Bytes of the preamble before the version. */
export const magicBytes = 6;

/** What a frame holds. A backup is a header, fragments, hosts and a trailer, in this order. */
export const frameType = { header: 1, fragments: 2, hosts: 3, trailer: 4 } as const;

export type FrameType = (typeof frameType)[keyof typeof frameType];

/** Bytes of a frame besides its payload: type and length before it, checksum after it. */
export const frameHeadBytes = 5;
export const frameTailBytes = 4;

/** The largest payload: a single fragment of 64 MiB, which no door lets in, fits. */
export const payloadBytesMax = 68_157_440;

/** The checksum that the first frame builds on. */
export const firstChecksum: number = crc32(preamble);

/** A frame's bytes, and its checksum, which the next frame builds on. */
export interface EncodedFrame {
  readonly bytes: Uint8Array;
  readonly checksum: number;
}

/**
 * Encodes a frame: type, length of the payload (32 bits, big-endian), payload, and the CRC-32 of all these, begun with
 * the checksum of the frame before. So a frame that is missing, repeated or in another's place is noticed as one that
 * is damaged is.
 */
export function encodeFrame(type: FrameType, payload: Uint8Array, checksumBefore: number): EncodedFrame {
  const bytes = new Uint8Array(frameHeadBytes + payload.length + frameTailBytes);
  const view = new DataView(bytes.buffer);
  bytes[0] = type;
  view.setUint32(1, payload.length);
  bytes.set(payload, frameHeadBytes);
  const end = frameHeadBytes + payload.length;
  const checksum = crc32(bytes.subarray(0, end), checksumBefore);
  view.setUint32(end, checksum);
  return { bytes, checksum };
}
