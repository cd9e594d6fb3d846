import CRC32 from "crc-32";
import {
  compareFrom,
  type OracleMember,
  type OracleParameters,
  OracleRing,
  oracleBucketStart,
  oracleFmix32,
  oraclePosition,
} from "./oracle.ts";

/** Test vectors for implementations in any language, computed by the oracle alone. */
export interface Vectors {
  about: string[];
  hashes: {
    keyHex: string;
    text?: string;
    crc32: number;
    positions: { hash: string; seed: number; position: number }[];
  }[];
  buckets: {
    hostId: string;
    timestampMs: number;
    shardBucketMs: number;
    offsetMs: number;
    bucketStart: number;
    key: string;
  }[];
  rings: {
    name: string;
    parameters: OracleParameters;
    members: OracleMember[];
    fingerprint: string;
    pointCount: number;
    points?: [position: number, id: string][];
    keys: { keyHex: string; text?: string; position: number; owners: string[] }[];
  }[];
}

/** Two ids whose labels #14 and #12 land on one position, whatever the seed; the bytewise smaller one is second. */
export const ONE_POINT_IN_COMMON = ["59c33016", "48042b1d"] as const;

/** Two ids with equal CRC-32, and therefore all points in common. */
export const ALL_POINTS_IN_COMMON = ["broker-1jp6wk4", "broker-0ia0n4t"] as const;

/** The same, where UTF-8 and UTF-16 disagree about which is smaller. In UTF-8 it is the first. */
export const ORDERED_BY_UTF8 = ["～1ekaywc", "😀0f1b138"] as const;

const plainParameters: OracleParameters = {
  vnodes: 150,
  hash: "crc32-fmix32",
  seed: 0,
  shardBucketMs: 3_600_000,
  replicationFactor: 1,
};

const texts = [
  "",
  "a",
  "123456789",
  "web-1",
  "web-1:1700000000000",
  "10.0.0.1:7400#149",
  "a\u0000b",
  "höst",
  "主机-1",
  "😀-1",
  "～1",
];
const rawKeys = ["00", "ff00fe", "c328", "eda080"];

const bucketCases: [hostId: string, timestampMs: number, shardBucketMs: number][] = [
  ["web-1", 1_700_000_001_234, 3_600_000],
  ["web-2", 1_700_000_001_234, 3_600_000],
  ["web-1", 1_700_000_001_234, 86_400_000],
  ["web-1", 1_700_000_001_234, 5_184_000_000],
  ["web-1", 1_700_000_001_234, 1],
  ["web-1", 0, 3_600_000],
  ["web-1", -1, 3_600_000],
  ["web-1", -1, 1],
  ["web-1", 8_640_000_000_000_000, 3_600_000],
  ["web-1", -8_640_000_000_000_000, 3_600_000],
];

const three: OracleMember[] = [{ id: "broker-1" }, { id: "broker-2" }, { id: "broker-3" }];
const zoned: OracleMember[] = [
  { id: "broker-1", zone: "a" },
  { id: "broker-2", zone: "a" },
  { id: "broker-3", zone: "a" },
  { id: "broker-4", zone: "b" },
  { id: "broker-5", zone: "c" },
  { id: "broker-6" },
];

const ringCases: { name: string; members: OracleMember[]; parameters?: Partial<OracleParameters> }[] = [
  { name: "no members", members: [] },
  { name: "one member with one point", members: [{ id: "broker-1" }], parameters: { vnodes: 1 } },
  { name: "three members, all defaults", members: three },
  { name: "three members, few points", members: three, parameters: { vnodes: 4 } },
  { name: "three members, seed", members: three, parameters: { vnodes: 4, seed: 0xdeadbeef } },
  { name: "three members, plain CRC-32", members: three, parameters: { vnodes: 4, hash: "crc32" } },
  {
    name: "three members, plain CRC-32 and seed",
    members: three,
    parameters: { vnodes: 4, hash: "crc32", seed: 1 },
  },
  {
    name: "weights, with 2.5 rounded up and 0.1 raised to 1",
    members: [
      { id: "broker-1", weight: 2 },
      { id: "broker-2", weight: 0.5 },
      { id: "broker-3", weight: 0.02 },
    ],
    parameters: { vnodes: 5 },
  },
  { name: "zones", members: zoned, parameters: { vnodes: 4, replicationFactor: 3 } },
  {
    name: "one position in common",
    members: ONE_POINT_IN_COMMON.map((id) => ({ id })),
    parameters: { vnodes: 16 },
  },
  {
    name: "all positions in common",
    members: ALL_POINTS_IN_COMMON.map((id) => ({ id })),
    parameters: { vnodes: 2 },
  },
  {
    name: "order by UTF-8 decides",
    members: ORDERED_BY_UTF8.map((id) => ({ id })),
    parameters: { vnodes: 2 },
  },
  {
    name: "ids beyond ASCII",
    members: [{ id: "höst" }, { id: "主机" }, { id: "😀" }, { id: "a#1" }, { id: "a" }],
    parameters: { vnodes: 4 },
  },
];

export function createVectors(): Vectors {
  return {
    about: [
      "Test vectors of @mon/hashring. Keys and ids are hashed as their UTF-8 bytes; keyHex is those bytes, text the same where it is text.",
      "position(key) = f(crc32(key) xor seed), f = fmix32 for hash crc32-fmix32, the identity for crc32; unsigned 32-bit integers.",
      "Points: position(id + '#' + i), i from 0 to max(1, floor(vnodes * weight + 0.5)) - 1. Ordered by position and then by the bytes of the id; points lists [position, id] in this order.",
      "Owner of a key: that of the first point at or after its position, wrapping around. owners: all members as the walk from that point on picks them; the first n hold n copies. The walk goes in rounds, each from the same point: in round k it picks each member not yet picked whose zone holds fewer than k picks. A member without a zone is a zone of its own.",
      "bucketStart = floor((t - o) / b) * b + o, o = fmix32(crc32(hostId)) mod b.",
      "fingerprint: the first 8 bytes of SHA-256(JSON of {parameters, members} with members by id bytes and weight filled in, then each point as u32 position and u16 member index, little-endian), in hexadecimal.",
    ],
    hashes: [
      ...texts.map((text) => ({ keyHex: Buffer.from(text).toString("hex"), text })),
      ...rawKeys.map((keyHex) => ({ keyHex })),
    ].map((key) => createHashVector(key)),
    buckets: bucketCases.map(([hostId, timestampMs, shardBucketMs]) => {
      const bucketStart = oracleBucketStart(hostId, timestampMs, shardBucketMs);
      const offsetMs = oracleFmix32(CRC32.str(hostId)) % shardBucketMs;
      return { hostId, timestampMs, shardBucketMs, offsetMs, bucketStart, key: `${hostId}:${bucketStart}` };
    }),
    rings: ringCases.map(({ name, members, parameters }) =>
      createRingVector(name, members, { ...plainParameters, ...parameters }),
    ),
  };
}

function createHashVector(key: { keyHex: string; text?: string }): Vectors["hashes"][number] {
  const bytes = Buffer.from(key.keyHex, "hex");
  const positions = ["crc32-fmix32", "crc32"].flatMap((hash) =>
    [0, 0xdeadbeef].map((seed) => ({ hash, seed, position: oraclePosition(bytes, hash, seed) })),
  );
  return { ...key, crc32: CRC32.buf(bytes, 0) >>> 0, positions };
}

function createRingVector(
  name: string,
  members: OracleMember[],
  parameters: OracleParameters,
): Vectors["rings"][number] {
  const ring = new OracleRing(members, parameters);
  const points = ring.points
    .toSorted((a, b) => compareFrom(0, a, b))
    .map(({ position, id }): [number, string] => [position, id]);
  const keys = [
    ...texts,
    ...Array.from({ length: 20 }, (_, i) => `web-${i}:${1_700_000_000_000 + i * 3_600_000}`),
  ];
  return {
    name,
    parameters,
    members,
    fingerprint: ring.fingerprint(),
    pointCount: points.length,
    ...(points.length <= 40 ? { points } : {}),
    keys: keys.map((text) => {
      const position = ring.position(text);
      const owners = ring.owners(position, members.length);
      return { keyHex: Buffer.from(text).toString("hex"), text, position, owners };
    }),
  };
}

/** JSON with one case a line, so that a change shows as the cases it touches. */
export function printVectors(vectors: Vectors): string {
  const rings = vectors.rings.map(({ keys, ...ring }) => {
    const head = JSON.stringify(ring).slice(0, -1);
    return `${head},"keys":[\n${keys.map((key) => JSON.stringify(key)).join(",\n")}]}`;
  });
  const lines = (cases: readonly unknown[]): string =>
    `[\n${cases.map((one) => JSON.stringify(one)).join(",\n")}\n]`;
  return `{"about":${lines(vectors.about)},
"hashes":${lines(vectors.hashes)},
"buckets":${lines(vectors.buckets)},
"rings":[\n${rings.join(",\n")}\n]}\n`;
}
