import { createRing, type HashRing } from "../src/index.ts";

// A program for allocation.test.ts: prints, as JSON, by how many bytes the heap grew over a million lookups of each kind.
// It must run with a young generation so large that nothing is collected meanwhile, and with --expose-gc.

/** What it prints. */
export interface HeapGrowth {
  readonly lookups: number;
  /** What was found, so that no compiler can leave the work out. */
  readonly computed: number;
  /** In bytes, by kind of lookup. */
  readonly grown: Readonly<Record<string, number>>;
}

const LOOKUPS = 1_000_000;
const KEYS = 10_000;

/** Flat, as they come from a socket: the first look at a concatenated string would copy it. */
const flat = (text: string): string => Buffer.from(text).toString("latin1");
const hosts = Array.from({ length: KEYS }, (_, i) => flat(`web-${i}`));
/** Times beside a text, because an array of nothing but numbers would make a new object of each that is passed on. */
const reports = hosts.map((host, i): [string, number] => [host, 1_700_000_000_000 + i * 3_600_000]);
const oldReports = hosts.map((host, i): [string, number] => [host, 700_000_000_000 + i * 3_600_000]);
const wideHosts = hosts.map((host) => Buffer.from(`höst-${host}`).toString());
const keys = reports.map(([host, time]) => flat(`${host}:${time}`));
const bytes = keys.map((key) => Buffer.from(key));

const members = Array.from({ length: 100 }, (_, i) => ({ id: `broker-${i}` }));
const ring: HashRing = createRing({ members });
const plainRing: HashRing = createRing({ members, parameters: { hash: "crc32", seed: 0xffffffff } });
const emptyRing: HashRing = createRing();

let lengths = 0;

/** Kinds of lookups, from the key's index. Each names its ring, so that later ones meet what earlier ones compiled. */
const kinds: Readonly<Record<string, (i: number) => void>> = {
  string: (i) => {
    lengths += ring.owner(keys[i]!)!.length;
  },
  bytes: (i) => {
    lengths += ring.owner(bytes[i]!)!.length;
  },
  bucket: (i) => {
    lengths += ring.ownerOfBucket(reports[i]![0], reports[i]![1])!.length;
  },
  time: (i) => {
    lengths += ring.ownerOf(reports[i]![0], reports[i]![1])!.length;
  },
  "time before 2001": (i) => {
    lengths += ring.ownerOf(oldReports[i]![0], oldReports[i]![1])!.length;
  },
  "not ASCII": (i) => {
    lengths += ring.owner(wideHosts[i]!)!.length;
  },
  "by another hash": (i) => {
    lengths += plainRing.owner(keys[i]!)!.length + plainRing.ownerOf(reports[i]![0], reports[i]![1])!.length;
  },
  "by both hashes in turn": (i) => {
    const either = i % 2 === 0 ? ring : plainRing;
    lengths += either.owner(keys[i]!)!.length + either.ownerOf(reports[i]![0], reports[i]![1])!.length;
  },
  "in an empty ring": (i) => {
    lengths += emptyRing.owner(keys[i]!) === undefined ? 1 : 0;
  },
  "string that is built": (i) => {
    lengths += ring.owner(`${reports[i]![0]}:${reports[i]![1]}`)!.length;
  },
};

function growth(lookup: (i: number) => void, lookups: number): number {
  globalThis.gc!();
  const before = process.memoryUsage().heapUsed;
  for (let i = 0; i < lookups; i++) lookup(i % KEYS);
  return process.memoryUsage().heapUsed - before;
}

const grown = Object.entries(kinds).map(([kind, lookup]): [string, number] => {
  // Until the compiler has seen enough of it, the interpreter's own work is on the heap.
  for (let warm = 0; warm < 3; warm++) growth(lookup, LOOKUPS / 10);
  return [kind, growth(lookup, LOOKUPS)];
});
const result: HeapGrowth = { lookups: LOOKUPS, computed: lengths, grown: Object.fromEntries(grown) };
console.log(JSON.stringify(result));
