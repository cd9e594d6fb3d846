import type { Sample } from "../../src/index.ts";
import { valueOfBits } from "./arbitrary-samples.ts";
import { expectedFragment } from "./expected-fragment.ts";
import { murmur3Oracle } from "./murmur3-oracle.ts";

/** A sample as the fixture has it: its value as the sixteen hexadecimal digits of its bits, the most significant first. */
export interface GoldenSample {
  readonly name: string;
  readonly bits: string;
  readonly labels: readonly (readonly [name: string, value: string])[];
  readonly kind: number;
  readonly flags: number;
}

/** A fragment for other implementations to check themselves against. */
export interface GoldenFragment {
  readonly title: string;
  /** In no particular order. */
  readonly samples: readonly GoldenSample[];
  /** Canonical bytes, in hexadecimal. */
  readonly bytes: string;
  readonly id: string;
}

/** The sample that an entry of the fixture describes. */
export function sampleOfGolden({ name, bits, labels, kind, flags }: GoldenSample): Sample {
  return {
    name,
    ...valueOfBits(BigInt(`0x${bits}`)),
    labels: labels.map(([label, value]) => ({ name: label, value })),
    // The fixture holds known kinds only.
    kind: kind as Sample["kind"],
    flags,
  };
}

const one = "3ff0000000000000";

function sample(name: string, parts: Partial<GoldenSample> = {}): GoldenSample {
  return { name, bits: one, labels: [], kind: 1, flags: 0, ...parts };
}

const titled: readonly (readonly [title: string, samples: readonly GoldenSample[]])[] = [
  ["nothing", []],
  ["one gauge", [sample("up")]],
  ["no kind", [sample("up", { kind: 0 })]],
  [
    "+0 takes no bytes, -0 does",
    [sample("plus", { bits: "0".repeat(16) }), sample("minus", { bits: "8".padEnd(16, "0") })],
  ],
  ["infinities", [sample("a", { bits: "7ff0000000000000" }), sample("b", { bits: "fff0000000000000" })]],
  ["Prometheus's stale marker", [sample("a", { bits: "7ff0000000000002" })]],
  ["a NaN of negative sign with a payload", [sample("a", { bits: "fff8000000c0ffee" })]],
  [
    "samples by name, bytewise",
    [sample("b"), sample("a"), sample("B"), sample("_"), sample("aa"), sample("a:")],
  ],
  [
    "series of one name by labels",
    [
      sample("cpu", {
        labels: [
          ["mode", "user"],
          ["cpu", "10"],
        ],
      }),
      sample("cpu", {
        labels: [
          ["cpu", "9"],
          ["mode", "user"],
        ],
      }),
      sample("cpu", { labels: [["cpu", "10"]] }),
      sample("cpu"),
      sample("cpu", {
        labels: [
          ["cpu", "10"],
          ["mode", "idle"],
        ],
      }),
    ],
  ],
  ["a label with an empty value", [sample("a", { labels: [["x", ""]] })]],
  [
    "text beyond ASCII, which sorts by its bytes and not by UTF-16",
    [
      sample("m", { labels: [["x", "\u{1f600}"]] }),
      sample("m", { labels: [["x", "\uffee"]] }),
      sample("m", { labels: [["x", "é"]] }),
      sample("m", { labels: [["x", "\ufeffbyte order mark"]] }),
    ],
  ],
  ["counters and marks", [sample("a", { kind: 2, flags: 1 }), sample("b", { kind: 2, flags: 0xffffffff })]],
  ["lengths of two bytes", [sample("n".repeat(128)), sample("m", { labels: [["x", "v".repeat(300)]] })]],
];

/** The fixture, by protobuf-es and exact arithmetic alone. */
export function goldenFragments(): GoldenFragment[] {
  return titled.map(([title, samples]) => {
    const bytes = bytesOf(samples);
    const [high, low] = murmur3Oracle(bytes);
    const id = [high, low].map((word) => word!.toString(16).padStart(8, "0")).join("");
    return { title, samples, bytes: Buffer.from(bytes).toString("hex"), id };
  });
}

/** Stands for a NaN, whose bits protobuf-es does not promise to keep. */
const standIn = Math.PI;

function bytesOf(samples: readonly GoldenSample[]): Uint8Array {
  const decoded = samples.map(sampleOfGolden);
  const nan = decoded.find((sample) => sample.nan !== undefined)?.nan;
  const bytes = expectedFragment(
    decoded.map((sample) => (sample.nan === undefined ? sample : { ...sample, value: standIn })),
  );
  if (nan === undefined) return bytes;
  const pattern = Buffer.alloc(8);
  pattern.writeDoubleLE(standIn);
  const view = new DataView(bytes.buffer, bytes.byteOffset + Buffer.from(bytes).indexOf(pattern));
  view.setUint32(0, nan.low, true);
  view.setUint32(4, nan.high, true);
  return bytes;
}
