import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { createRing, deserializeRing, RingError } from "../src/index.ts";
import { check, members, parameters } from "./arbitraries.ts";
import { coarseHash } from "./oracle.ts";

const ring = createRing({
  members: [
    { id: "b", zone: "z" },
    { id: "a", weight: 0.5 },
  ],
});

function code(text: string): string {
  try {
    deserializeRing(text);
  } catch (error) {
    if (error instanceof RingError) return error.code;
    throw error;
  }
  return "nothing thrown";
}

interface SerializedRing {
  version?: number;
  fingerprint?: string;
  parameters?: unknown;
  members?: unknown;
}

/** The ring's text, read as JSON, changed and written again. */
function altered(change: (record: SerializedRing) => void): string {
  const record: SerializedRing = JSON.parse(ring.serialize());
  change(record);
  return JSON.stringify(record);
}

describe("a serialized ring", () => {
  it("reads back as the same ring", () => {
    check(
      fc.property(members({ maxLength: 8 }), parameters, (list, parameters) => {
        const written = createRing({ members: list, parameters, hashes: [coarseHash] });
        const read = deserializeRing(written.serialize(), { hashes: [coarseHash] });
        expect(read.serialize()).toBe(written.serialize());
        expect(read.arcs(2)).toEqual(written.arcs(2));
      }),
    );
  });

  it("of version 1 still reads, to the letter", () => {
    const text =
      '{"version":1,"fingerprint":"270028aa1f81c969",' +
      '"parameters":{"vnodes":150,"hash":"crc32-fmix32","seed":0,"shardBucketMs":3600000,"replicationFactor":1},' +
      '"members":[{"id":"a","weight":0.5},{"id":"b","weight":1,"zone":"z"}]}';
    expect(ring.serialize()).toBe(text);
    expect(deserializeRing(text).fingerprint).toBe(ring.fingerprint);
  });

  it("that is not one is refused as malformed", () => {
    const texts = [
      "",
      "{",
      "null",
      "[]",
      '"ring"',
      "{}",
      altered((record) => delete record.version),
      altered((record) => delete record.fingerprint),
      altered((record) => delete record.parameters),
      altered((record) => delete record.members),
      altered((record) => Object.assign(record, { members: {} })),
      altered((record) => Object.assign(record, { members: [null] })),
      altered((record) => Object.assign(record, { members: [{ id: "a", weight: -1 }] })),
      altered((record) => Object.assign(record, { members: [{ id: "a" }, { id: "a" }] })),
      altered((record) => Object.assign(record, { parameters: { vnodes: "150" } })),
      altered((record) => Object.assign(record, { parameters: { shardBucketMs: 7 } })),
    ];
    for (const text of texts) expect([text, code(text)]).toEqual([text, "RING_MALFORMED"]);
  });

  it("of a later version, or with a hash that is not there, is refused by name", () => {
    expect(code(altered((record) => Object.assign(record, { version: 2 })))).toBe("RING_UNSUPPORTED_VERSION");
    const text = altered((record) => Object.assign(record, { parameters: { hash: "md5" } }));
    expect(code(text)).toBe("RING_UNKNOWN_HASH");
  });

  it("whose contents are not what was written is refused", () => {
    const text = ring.serialize();
    const forgeries = [
      text.replace('"weight":0.5', '"weight":0.75'),
      text.replace('"replicationFactor":1', '"replicationFactor":2'),
      text.replace('"zone":"z"', '"zone":"y"'),
      text.replace('"id":"b"', '"id":"c"'),
    ];
    for (const forgery of forgeries)
      expect([forgery, code(forgery)]).toEqual([forgery, "RING_FINGERPRINT_MISMATCH"]);
  });
});
