import { create, fromBinary, toBinary } from "@bufbuild/protobuf";
import { Kind, ReportSchema } from "@mon/proto";
import fc from "fast-check";
import { expect, test } from "vitest";
import { type ReportInput, reportBytes, type SampleInput } from "../src/report-bytes.ts";

const seed = Number(process.env.SEED ?? 20261123);

const text = fc.string({ unit: "grapheme", maxLength: 6 });
const sample: fc.Arbitrary<SampleInput> = fc.record(
  {
    name: text,
    value: fc.oneof(fc.double(), fc.constantFrom(0, -0, Number.NaN, 1)),
    labels: fc.dictionary(text, text, { maxKeys: 4 }),
    kind: fc.constantFrom("gauge" as const, "counter" as const),
  },
  { requiredKeys: ["name", "value"] },
);
const report: fc.Arbitrary<ReportInput> = fc.record({
  hostId: text,
  timestampMs: fc.nat(2 ** 31 - 1).map((n) => n * 1_000),
  samples: fc.array(sample, { maxLength: 12 }),
});

function bytewise(a: string, b: string): number {
  return Buffer.compare(Buffer.from(a), Buffer.from(b));
}

test("the bytes are those that protobuf-es writes for the same report, sorted bytewise (R2)", () => {
  fc.assert(
    fc.property(report, (input) => {
      const samples = input.samples
        .map(({ name, value, labels = {}, kind }) => ({
          name,
          value,
          labels: Object.entries(labels)
            .map(([name, value]) => ({ name, value }))
            .sort((a, b) => bytewise(a.name, b.name)),
          kind: kind === undefined ? Kind.UNSPECIFIED : kind === "gauge" ? Kind.GAUGE : Kind.COUNTER,
        }))
        .sort((a, b) => {
          const byName = bytewise(a.name, b.name);
          if (byName !== 0) return byName;
          for (let index = 0; index < Math.min(a.labels.length, b.labels.length); index += 1) {
            const [x, y] = [a.labels[index]!, b.labels[index]!];
            const byLabel = bytewise(x.name, y.name) || bytewise(x.value, y.value);
            if (byLabel !== 0) return byLabel;
          }
          return a.labels.length - b.labels.length;
        });
      const expected = toBinary(
        ReportSchema,
        create(ReportSchema, {
          hostId: input.hostId,
          timestampMs: BigInt(input.timestampMs as number),
          samples,
        }),
      );
      const { bytes, samples: count } = reportBytes(input, 0);
      expect(Buffer.from(bytes).equals(expected)).toBe(true);
      expect(count).toBe(input.samples.length);
    }),
    { seed, numRuns: 1_000 },
  );
});

test("the caller's arrays and objects stay as they were", () => {
  const labels = Object.freeze({ b: "1", a: "2" });
  const samples = Object.freeze([
    { name: "z", value: 1, labels },
    { name: "a", value: 2 },
  ]);
  reportBytes({ hostId: "h", timestampMs: 1, samples }, 0);
  expect(Object.keys(labels)).toEqual(["b", "a"]);
  expect(samples[0]?.name).toBe("z");
});

test.each([
  ["a Date", new Date(1_700_000_000_123), 1_700_000_000_123n],
  ["a number with a fraction", 1_700_000_000_123.9, 1_700_000_000_123n],
  ["nothing: now", undefined, 42n],
])("the instant may be %s", (_, timestampMs, expected) => {
  const { bytes } = reportBytes({ hostId: "h", timestampMs, samples: [] }, 42);
  expect(fromBinary(ReportSchema, bytes).timestampMs).toBe(expected);
});

test.each([
  [{ hostId: 7, samples: [] }, "expected hostId to be a string, got number"],
  [undefined, "expected hostId to be a string, got undefined"],
  [{ hostId: "h", samples: {} }, "expected samples to be an array, got object"],
  [{ hostId: "h", samples: [null] }, "expected samples[0].name to be a string, got undefined"],
  [
    { hostId: "h", samples: [{ name: "a", value: "1" }] },
    "expected samples[0].value to be a number, got string",
  ],
  [
    { hostId: "h", samples: [{ name: "a", value: 1, labels: { x: null } }] },
    "expected samples[0].labels.x to be a string, got null",
  ],
  [
    { hostId: "h", samples: [{ name: "a", value: 1, kind: "summary" }] },
    'expected samples[0].kind to be "gauge" or "counter", got string',
  ],
  [
    { hostId: "h", timestampMs: "x", samples: [] },
    "expected timestampMs to be a number or a Date, got string",
  ],
  [
    { hostId: "h", timestampMs: Number.NaN, samples: [] },
    "expected timestampMs to be milliseconds since 1970, got NaN",
  ],
  [
    { hostId: "h", timestampMs: -1, samples: [] },
    "expected timestampMs to be milliseconds since 1970, got -1",
  ],
])("a value of a wrong type is named: case %#", (input, message) => {
  expect(() => reportBytes(input as unknown as ReportInput, 0)).toThrow(message);
});
