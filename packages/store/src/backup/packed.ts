import { constants, zstdCompressSync, zstdDecompressSync } from "node:zlib";
import { invalidAt } from "./backup-error.ts";
import { payloadBytesMax } from "./frame.ts";

/** Bytes before the compressed ones: how many there are unpacked. */
const sizeBytes = 4;

/** Compresses a payload by zstd: its length unpacked (32 bits, big-endian), then a zstd frame. */
export function pack(bytes: Uint8Array): Uint8Array {
  // Level 3 of 22: on reports of agents higher ones take several times as long for a few percent.
  const compressed = zstdCompressSync(bytes, { params: { [constants.ZSTD_c_compressionLevel]: 3 } });
  const packed = new Uint8Array(sizeBytes + compressed.length);
  new DataView(packed.buffer).setUint32(0, bytes.length);
  packed.set(compressed, sizeBytes);
  return packed;
}

/** Unpacks what {@link pack} made, into bytes that nothing else refers to. @throws {BackupError} */
export function unpack(packed: Uint8Array, offset: number): Uint8Array {
  if (packed.length < sizeBytes) throw invalidAt(offset, "a packed payload", "too few bytes");
  const size = new DataView(packed.buffer, packed.byteOffset).getUint32(0);
  if (size > payloadBytesMax) throw invalidAt(offset, `at most ${payloadBytesMax} bytes unpacked`, `${size}`);
  let bytes: Uint8Array;
  try {
    bytes = zstdDecompressSync(packed.subarray(sizeBytes), { maxOutputLength: Math.max(1, size) });
  } catch (cause) {
    throw invalidAt(offset, "a packed payload", "something else", cause);
  }
  if (bytes.length !== size) throw invalidAt(offset, `${size} bytes unpacked`, `${bytes.length}`);
  return bytes;
}
