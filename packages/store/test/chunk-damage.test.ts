import { crc32 } from "node:zlib";
import fc from "fast-check";
import { describe, expect, it } from "vitest";
import {
  Chunk,
  type EncodedChunk,
  encodeChunk,
  joinChunk,
  Kind,
  type SeriesColumn,
  StoreError,
} from "../src/index.ts";
import { arbitraryColumns, Random, shapes, valuesOfBits } from "./support/arbitrary-columns.ts";
import { arbitraryEdits } from "./support/arbitrary-samples.ts";
import { check } from "./support/check.ts";

const isFull = process.env.MON_TEST === "full";
const startMs = 1_767_225_600_000;

/** Chunks that together use every way to write instants, names, values and marks. */
function chunkOf(length: number, effort: "fast" | "small"): EncodedChunk {
  const columns = Object.entries(shapes).map(([shape, make], i): SeriesColumn => {
    const from = i % 4 === 3 && length > 2 ? 1 : 0;
    const bits = make(new Random(length + i), length - from);
    const flags = new Uint32Array(length - from);
    if (i % 3 === 0) flags.fill(1, length >> 1);
    return {
      series: { name: shape, labels: [{ name: "shape", value: `${i}` }], kind: Kind.counter },
      timestampsMs: Float64Array.from(bits, (_, j) => startMs + 1_000 * (j + from) + (((j + from) * 31) % 7)),
      values: valuesOfBits(bits),
      flags,
    };
  });
  return encodeChunk(columns, { effort });
}

/** Reads everything there is. */
function readAll(chunk: Chunk): number {
  let samples = 0;
  for (let i = 0; i < chunk.series.length; i++) samples += chunk.column(i).values.length;
  return samples;
}

function codeOf(read: () => void): string | undefined {
  try {
    read();
    return undefined;
  } catch (error) {
    if (error instanceof StoreError) return error.code;
    throw error;
  }
}

const lengths = isFull ? [1, 2, 6, 61, 200] : [1, 6, 30];
const cases = lengths.flatMap((length) =>
  (["fast", "small"] as const).map((effort) => ({
    length,
    effort,
    bytes: joinChunk(chunkOf(length, effort)),
  })),
);

describe("a damaged chunk is named and never read as data", () => {
  it.each(cases)("cut anywhere: $length samples, $effort", ({ bytes }) => {
    for (let end = 0; end < bytes.length; end++) {
      const cut = bytes.subarray(0, end);
      expect(codeOf(() => readAll(Chunk.parse(cut)))).toBe("STORE_CHUNK_INVALID");
    }
  });

  it.each(cases)("with any byte changed: $length samples, $effort", ({ bytes }) => {
    const random = new Random(bytes.length);
    const flipped = bytes.slice();
    for (let at = 0; at < bytes.length; at++) {
      // One bit; in the long run also all bits, and something else.
      const masks = [1 << random.below(8), 0xff, 1 + random.below(254)];
      for (const mask of isFull ? masks : masks.slice(0, 1)) {
        flipped[at] = bytes[at]! ^ mask;
        expect(codeOf(() => readAll(Chunk.parse(flipped)))).toBe("STORE_CHUNK_INVALID");
      }
      flipped[at] = bytes[at]!;
    }
    expect(readAll(Chunk.parse(flipped))).toBeGreaterThan(0);
  });

  it("made of anything else", () => {
    check(
      fc.property(fc.uint8Array({ maxLength: 400 }), fc.boolean(), (bytes, hasVersion) => {
        if (hasVersion && bytes.length > 0) bytes[0] = 1;
        expect(codeOf(() => readAll(Chunk.parse(bytes)))).toBe("STORE_CHUNK_INVALID");
      }),
      isFull ? 100_000 : 2_000,
    );
  });

  it("cut, flipped and repeated in several places", () => {
    check(
      fc.property(fc.constantFrom(...cases), arbitraryEdits, ({ bytes }, edits) => {
        const edited = edits.reduce((given, edit) => edit(given), bytes);
        if (Buffer.compare(edited, bytes) === 0) return;
        expect(codeOf(() => readAll(Chunk.parse(edited)))).toBe("STORE_CHUNK_INVALID");
      }),
      isFull ? 20_000 : 500,
    );
  });

  it.each(cases)("with more behind it: $length samples, $effort", ({ bytes }) => {
    for (const more of [0, 1, 0xff]) {
      expect(codeOf(() => Chunk.parse(Uint8Array.of(...bytes, more)))).toBe("STORE_CHUNK_INVALID");
    }
  });

  it("with columns of another chunk, or exchanged", () => {
    const [one, other] = [chunkOf(300, "fast"), chunkOf(301, "fast")];
    const apart = one.columns.flatMap((column, index) => (column.length > 0 ? [index] : []));
    expect(apart.length).toBeGreaterThan(5);
    for (const [i, index] of apart.entries()) {
      const next = apart[(i + 1) % apart.length]!;
      const foreign = Chunk.of(one.header, () => other.columns[index]!);
      expect(codeOf(() => foreign.column(index))).toBe("STORE_CHUNK_INVALID");
      const exchanged = Chunk.of(one.header, () => one.columns[next]!);
      expect(codeOf(() => exchanged.column(index))).toBe("STORE_CHUNK_INVALID");
      expect(Chunk.of(one.header, () => one.columns[index]!).column(index).values.length).toBeGreaterThan(0);
    }
    const gone = Chunk.of(one.header, () => new Uint8Array(0));
    expect(codeOf(() => gone.column(apart[0]!))).toBe("STORE_CHUNK_INVALID");
    expect(codeOf(() => Chunk.of(joinChunk(one), () => one.header))).toBe("STORE_CHUNK_INVALID");
  });

  it("of a newer version, by that name", () => {
    const { header } = chunkOf(2, "fast");
    const newer = header.slice();
    newer[0] = 2;
    new DataView(newer.buffer).setUint32(1, crc32(newer.subarray(5), 2), true);
    expect(codeOf(() => Chunk.parse(newer))).toBe("STORE_VERSION_UNKNOWN");
  });
});

describe("a forged chunk, whose checksums are right", () => {
  /** Seals a header again after its body was edited. */
  function resealed(header: Uint8Array): Uint8Array {
    const sealed = header.slice();
    if (sealed.length > 5)
      new DataView(sealed.buffer).setUint32(1, crc32(sealed.subarray(5), sealed[0]), true);
    return sealed;
  }

  /** A header that has `column`, of 128 bytes or more, for another that is as long or nearly so. */
  function headerWith({ header, columns }: EncodedChunk, index: number, column: Uint8Array): Uint8Array {
    const forged = header.slice();
    // A column's size, here of two bytes, comes before its checksum.
    const sum = Buffer.alloc(4);
    sum.writeUInt32LE(crc32(columns[index]!));
    const at = Buffer.from(forged).indexOf(sum);
    forged[at - 2] = (column.length & 0x7f) | 0x80;
    forged[at - 1] = column.length >> 7;
    new DataView(forged.buffer).setUint32(at, crc32(column), true);
    return resealed(forged);
  }

  it("is read or refused by name, in bounded time and memory", () => {
    const headers = [1, 6, 40].map((length) => chunkOf(length, "fast").header);
    check(
      fc.property(fc.constantFrom(...headers), arbitraryEdits, (header, edits) => {
        const forged = resealed(edits.reduce((given, edit) => edit(given), header));
        const code = codeOf(() => {
          const chunk = Chunk.of(forged, () => new Uint8Array(0));
          if (chunk.samples < 1e6) readAll(chunk);
        });
        expect([undefined, "STORE_CHUNK_INVALID", "STORE_VERSION_UNKNOWN"]).toContain(code);
      }),
      isFull ? 60_000 : 3_000,
    );
  });

  it("may hold any bytes for a column: they are read or refused by name", () => {
    const length = 64;
    const arbitraryColumn = fc
      .tuple(fc.nat(31), fc.nat(255), fc.uint8Array({ minLength: 31, maxLength: 200 }))
      .map(([first, second, rest]) => Uint8Array.of(first, second, ...rest));
    const whole = encodeChunk([
      {
        series: { name: "m", labels: [], kind: Kind.gauge },
        timestampsMs: Float64Array.from({ length }, (_, i) => i),
        values: Float64Array.from({ length }, (_, i) => Math.sin(i)),
        flags: new Uint32Array(length),
      },
    ]);
    const outcomes = { read: 0 };
    check(
      fc.property(arbitraryColumn, fc.nat(length), (column, endMs) => {
        const forged = headerWith(whole, 0, column);
        const code = codeOf(() => {
          const read = Chunk.of(forged, () => column).column(0, { startMs: 0, endMs });
          expect(read.values).toHaveLength(Math.min(endMs + 1, length));
          outcomes.read++;
        });
        expect([undefined, "STORE_CHUNK_INVALID"]).toContain(code);
      }),
      isFull ? 100_000 : 2_000,
    );
    // Some of them are columns, so that decoders were reached.
    expect(outcomes.read).toBeGreaterThan(0);
  });

  it("has nothing behind its values, and nothing too few", () => {
    const encoded = chunkOf(300, "fast");
    const apart = encoded.columns.flatMap((column, index) => (column.length >= 128 ? [index] : []));
    const methods = new Set(apart.map((index) => encoded.columns[index]![0]! & 15));
    expect(methods.size).toBeGreaterThanOrEqual(3);
    for (const index of apart) {
      for (const more of [0, 0xff]) {
        const column = Uint8Array.of(...encoded.columns[index]!, more);
        const longer = Chunk.of(headerWith(encoded, index, column), () => column);
        expect(codeOf(() => longer.column(index))).toBe("STORE_CHUNK_INVALID");
      }
      const { length } = encoded.columns[index]!;
      for (const cut of [length - 1, (length + 128) >> 1, 128]) {
        const column = encoded.columns[index]!.subarray(0, cut);
        const shorter = Chunk.of(headerWith(encoded, index, column), () => column);
        if (cut < length) expect(codeOf(() => shorter.column(index))).toBe("STORE_CHUNK_INVALID");
        // All but the last few samples, which the cut leaves too few bytes for as well.
        const range = { startMs: 0, endMs: startMs + 298_000 };
        if (cut < length - 64) expect(codeOf(() => shorter.column(index, range))).toBe("STORE_CHUNK_INVALID");
      }
    }
  });

  it("may not have a prefix code with more short codes than there are, nor runs beyond the end", () => {
    const encoded = encodeChunk([
      {
        series: { name: "m", labels: [], kind: Kind.gauge },
        timestampsMs: Float64Array.from({ length: 64 }, (_, i) => i),
        values: Float64Array.from({ length: 64 }, (_, i) => Math.sin(i)),
        flags: new Uint32Array(64),
      },
    ]);
    const read = (...codeLengths: number[]): string | undefined => {
      // Prefixed, of order 1, the first 0; then the lengths of codes, and codes that are all 0.
      const column = new Uint8Array(128);
      column.set([6, 0x10, 0, codeLengths.length, ...codeLengths]);
      const chunk = Chunk.of(headerWith(encoded, 0, column), () => column);
      return codeOf(() => chunk.column(0, { startMs: 0, endMs: 10 }));
    };
    expect(read(0x11)).toBeUndefined();
    expect(read(0x11, 0x01)).toBe("STORE_CHUNK_INVALID");
    expect(read(0x21, 0x22)).toBe("STORE_CHUNK_INVALID");
    expect(read(0x0c)).toBe("STORE_CHUNK_INVALID");
    // Of 63 residuals a run of 32 zeros may be some, one of 64 not.
    const zeroLengths = Array<number>(8).fill(0xf0);
    expect(read(...zeroLengths, 0x50, 0x01)).toBeUndefined();
    expect(read(...zeroLengths, 0x60, 0x01)).toBe("STORE_CHUNK_INVALID");
  });

  it("may not share more of a text than there is, nor name a text that there is not", () => {
    const { header } = chunkOf(1, "fast");
    // The last of the texts: its mark, how much it shares, its size, and two digits.
    const forgedText = (...bytes: number[]): string | undefined => {
      const forged = header.slice();
      forged.set(bytes, forged.length - bytes.length);
      return codeOf(() => Chunk.parse(resealed(forged)));
    };
    const [shares, size, digit] = header.subarray(-3);
    expect([shares, size]).toEqual([1, 1]);
    expect(forgedText(0, shares!, size!, digit!)).toBeUndefined();
    expect(forgedText(0, 9, size!, digit!)).toBe("STORE_CHUNK_INVALID");
    expect(forgedText(0, shares!, 2, digit!)).toBe("STORE_CHUNK_INVALID");
    expect(forgedText(0, shares!, size!, 0xff)).toBe("STORE_CHUNK_INVALID");
    expect(forgedText(99, shares!, size!, digit!)).toBe("STORE_CHUNK_INVALID");
  });

  it("may be any columns, edited", () => {
    check(
      fc.property(arbitraryColumns, arbitraryEdits, (columns, edits) => {
        const encoded = encodeChunk(columns);
        const header = resealed(edits.reduce((given, edit) => edit(given), encoded.header));
        const code = codeOf(() => {
          const chunk = Chunk.of(header, (index) => encoded.columns[index] ?? new Uint8Array(0));
          if (chunk.samples < 1e6) readAll(chunk);
        });
        expect([undefined, "STORE_CHUNK_INVALID", "STORE_VERSION_UNKNOWN"]).toContain(code);
      }),
      isFull ? 20_000 : 500,
    );
  });
});
