import { constants } from "node:zlib";

/** How much time encoding may take: `fast` chooses by looking, `small` tries what there is, zstd too. */
export type Effort = "fast" | "small";

/** Samples of one column; an hour of milliseconds is less. Bounds what a forged chunk can make its reader allocate. */
export const columnSamplesMax: number = 2 ** 22;

/** How the values of a column are written: the low bits of its first byte. */
export const method = {
  /** All the same, a decimal: exponent, mantissa. */
  constantDecimal: 0,
  /** All the same: eight bytes. */
  constantBits: 1,
  /** Eight bytes each. */
  bits: 2,
  xor: 3,
  /** Decimals; their residuals in varints. */
  varints: 4,
  packed: 5,
  prefixed: 6,
  planes: 7,
} as const;

/** The other bits of a column's first byte. */
export const columnFlag = {
  /** The body is a zstd frame without its magic number, after the length that it has without zstd. */
  zstd: 8,
  /** Marks come before the values. */
  marked: 16,
} as const;

/** The bits of {@link method} in a column's first byte. */
export const methodMask = 7;

/** The byte that begins decimals: the exponent in four bits, the order in two, and what follows. */
export const decimalsHead = {
  exponentMask: 15,
  orderShift: 4,
  orderMask: 3,
  hasStep: 64,
  hasExceptions: 128,
} as const;

/** What every zstd frame begins with. */
export const zstdMagic: Uint8Array = Uint8Array.of(0x28, 0xb5, 0x2f, 0xfd);

/** For columns: lengths and checksums are the chunk's own. */
export const zstdOptions: { params: Record<number, number> } = {
  params: {
    [constants.ZSTD_c_compressionLevel]: 9,
    [constants.ZSTD_c_checksumFlag]: 0,
    [constants.ZSTD_c_contentSizeFlag]: 0,
  },
};
