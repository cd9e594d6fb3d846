/** The version that a chunk begins with. */
export const version = 1;

/** Bits of a header's flags. */
export const headerFlag = {
  /** What follows is compressed by zstd. */
  zstd: 1,
  /** The first instant is before 1970. */
  negativeStart: 2,
} as const;

/**
 * Columns up to so long lie in the header, under its checksum: one of their own would cost them four bytes of a few,
 * and fetching one by itself more than fetching it with the header.
 */
export const inlineBytesMax = 32;

/** The longest header, without zstd: bounds what a forged one can make its reader allocate. */
export const headerBytesMax: number = 64 * 1024 * 1024;
