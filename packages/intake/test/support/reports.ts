import { create, toBinary } from "@bufbuild/protobuf";
import { Kind, ReportSchema } from "@mon/proto";
import fc from "fast-check";

/** A sample as tests write it. */
export interface TestSample {
  readonly name: string;
  readonly value: number;
  readonly labels?: Readonly<Record<string, string>>;
  readonly kind?: Kind;
  readonly flags?: number;
}

/** The encoded report, samples and labels in the order given. */
export function encodeReport(
  hostId: string,
  timestampMs: number | bigint,
  samples: readonly TestSample[],
): Uint8Array {
  return toBinary(
    ReportSchema,
    create(ReportSchema, {
      hostId,
      timestampMs: BigInt(timestampMs),
      samples: samples.map(({ name, value, labels = {}, kind = Kind.UNSPECIFIED, flags = 0 }) => ({
        name,
        value,
        kind,
        flags,
        labels: Object.entries(labels).map(([label, text]) => ({ name: label, value: text })),
      })),
    }),
  );
}

const labelName = fc.constantFrom(
  "a",
  "b",
  "device",
  "__bad",
  "x9",
  "é",
  "",
  "cpu_mode",
  "cpu.mode",
  "cpu-mode",
);
const sample = fc.record({
  name: fc.oneof(
    { weight: 8, arbitrary: fc.constantFrom("cpu", "cpu_total", "disk_bytes", "a", "b:c", "net_io") },
    { weight: 1, arbitrary: fc.constantFrom("disk.bytes", "net.io", "net/io", "cpu-total.total") },
    { weight: 1, arbitrary: fc.constantFrom("", "9x", "a b", "é", "n".repeat(1_025)) },
  ),
  value: fc.oneof({ weight: 6, arbitrary: fc.double({ noNaN: true, noDefaultInfinity: true }) }, fc.double()),
  labels: fc.oneof(
    { weight: 6, arbitrary: fc.constant({}) },
    {
      weight: 4,
      arbitrary: fc.dictionary(labelName, fc.string({ unit: "binary", maxLength: 12 }), { maxKeys: 4 }),
    },
  ),
  kind: fc.constantFrom(0, 1, 2, 1, 2, 7) as fc.Arbitrary<Kind>,
  flags: fc.constantFrom(0, 0, 0, 0, 1, 3, 0xffffffff),
});

const goodSample = fc.record({
  name: fc.constantFrom("cpu", "cpu_total", "disk_bytes", "a", "b:c", "net_io"),
  value: fc.double({ noNaN: true, noDefaultInfinity: true }),
  labels: fc.dictionary(
    fc.constantFrom("a", "b", "cpu_mode", "device"),
    fc.string({ unit: "grapheme", maxLength: 12 }),
    {
      maxKeys: 3,
    },
  ),
  kind: fc.constantFrom(0, 1, 2) as fc.Arbitrary<Kind>,
});

/** Samples by name, their labels by name. */
function sorted(samples: readonly TestSample[]): TestSample[] {
  return samples
    .toSorted((a, b) => (a.name < b.name ? -1 : 1))
    .map((one) => ({ ...one, labels: Object.fromEntries(Object.entries(one.labels ?? {}).sort()) }));
}

/** Encoded reports, half of them good and in canonical order. */
export function arbitraryReport(nowMs: number): fc.Arbitrary<Uint8Array> {
  const wild = fc.record({
    hostId: fc.oneof(
      { weight: 9, arbitrary: fc.constantFrom("web-1", "db.2", "h") },
      fc.constantFrom("", "-x", "a b", "h".repeat(129)),
    ),
    timestampMs: fc.oneof(
      { weight: 9, arbitrary: fc.integer({ min: nowMs - 3_600_000, max: nowMs }) },
      fc.constantFrom(0, 1, nowMs - 8 * 86_400_000, nowMs + 700_000, Math.floor(nowMs / 1_000)),
    ),
    samples: fc.array(sample, { minLength: 0, maxLength: 8 }),
  });
  const good = fc.record({
    hostId: fc.constantFrom("web-1", "db.2", "h"),
    timestampMs: fc.integer({ min: nowMs - 3_600_000, max: nowMs }),
    samples: fc
      .uniqueArray(goodSample, { minLength: 1, maxLength: 6, selector: ({ name }) => name })
      .map(sorted),
  });
  return fc
    .oneof(wild, good)
    .map(({ hostId, timestampMs, samples }) => encodeReport(hostId, timestampMs, samples));
}

/** Reports that one program sends time after time, in the order that it has its series in: few values change. */
export function arbitraryProgram(nowMs: number): fc.Arbitrary<Uint8Array[]> {
  const value = fc.oneof(
    { weight: 12, arbitrary: fc.double({ min: -10, max: 2e6, noNaN: true }) },
    fc.constantFrom(0, -0, Number.NaN, Number.POSITIVE_INFINITY, Number.NEGATIVE_INFINITY),
  );
  const series = fc
    .tuple(
      fc.uniqueArray(fc.oneof({ weight: 12, arbitrary: goodSample }, sample), {
        minLength: 1,
        maxLength: 6,
        selector: (one) => JSON.stringify([one.name, one.labels]),
      }),
      fc.constantFrom("sorted", "sorted", "as they come"),
    )
    .map(([samples, order]) => (order === "sorted" ? sorted(samples) : samples));
  return series.chain((samples) =>
    fc.array(
      fc
        .tuple(
          fc.constantFrom("web-1", "db.2", "h"),
          fc.oneof(
            { weight: 9, arbitrary: fc.integer({ min: nowMs - 3_600_000, max: nowMs }) },
            fc.constantFrom(0, nowMs - 8 * 86_400_000, Math.floor(nowMs / 1_000)),
          ),
          fc.array(fc.option(value), { minLength: samples.length, maxLength: samples.length }),
        )
        .map(([hostId, timestampMs, values]) =>
          encodeReport(
            hostId,
            timestampMs,
            samples.map((one, i) => ({ ...one, value: values[i] ?? (one.value || 1) })),
          ),
        ),
      { minLength: 2, maxLength: 8 },
    ),
  );
}
