import { create, fromBinary, fromJson, fromJsonString, toBinary, toJson } from "@bufbuild/protobuf";
import { describe, expect, it } from "vitest";
import {
  Kind,
  LabelSchema,
  PushRequestSchema,
  ReportRequestSchema,
  ReportSchema,
  SampleSchema,
} from "../src/index.ts";
import { PushBatchSchema, ReportBatchSchema } from "../src/wire.ts";

const hex = (bytes: Uint8Array): string => Buffer.from(bytes).toString("hex");

const report = create(ReportSchema, {
  hostId: "web-1",
  timestampMs: 1_767_225_600_000n,
  samples: [
    {
      name: "cpu",
      value: 1.5,
      labels: [{ name: "mode", value: "user" }],
      kind: Kind.COUNTER,
      flags: 129,
    },
    { name: "up", value: 0 },
  ],
});

/** Field by field, by hand. */
const golden = [
  "0a05 7765622d31", // host_id
  "11 00a8da769b010000", // timestamp_ms
  "1a21", // samples[0], 33 bytes
  "0a03 637075", // name
  "11 000000000000f83f", // value
  "1a0c 0a04 6d6f6465 1204 75736572", // labels[0]
  "2002", // kind
  "28 8101", // flags
  "1a04 0a02 7570", // samples[1]
]
  .join("")
  .replaceAll(" ", "");

describe("a report on the wire (R1)", () => {
  it("is these bytes", () => {
    expect(hex(toBinary(ReportSchema, report))).toBe(golden);
    expect(fromBinary(ReportSchema, Buffer.from(golden, "hex"))).toEqual(report);
  });

  it.each([
    [ReportSchema, { host_id: 1, timestamp_ms: 2, samples: 3, time: 4 }],
    [SampleSchema, { name: 1, value: 2, labels: 3, kind: 4, flags: 5 }],
    [LabelSchema, { name: 1, value: 2 }],
  ])("has the fields of the rule: %s", (schema, fields) => {
    expect(Object.fromEntries(schema.fields.map(({ name, number }) => [name, number]))).toEqual(fields);
  });

  it("may carry its time as a Timestamp, which is RFC 3339 with an offset in JSON", () => {
    const json = {
      hostId: "web-1",
      time: "2026-01-01T01:00:00.250+01:00",
      samples: [{ name: "up", value: 1 }],
    };
    const { time } = fromJson(ReportSchema, json);
    expect(time).toMatchObject({ seconds: 1_767_225_600n, nanos: 250_000_000 });
    expect(hex(toBinary(ReportSchema, create(ReportSchema, { time: time! })))).toBe(
      "220b0880f2d6ca061080e59a77",
    );
  });
});

describe("a report in JSON", () => {
  it("has these names", () => {
    expect(toJson(ReportSchema, report)).toEqual({
      hostId: "web-1",
      timestampMs: "1767225600000",
      samples: [
        {
          name: "cpu",
          value: 1.5,
          labels: [{ name: "mode", value: "user" }],
          kind: "KIND_COUNTER",
          flags: 129,
        },
        { name: "up" },
      ],
    });
  });

  it("is taken with names as they stand in the .proto files, numbers for times, and NaN as a text", () => {
    const { hostId, timestampMs, samples } = fromJsonString(
      ReportSchema,
      '{"host_id":"h","timestamp_ms":1767225600000,"samples":[{"name":"a","value":"NaN","kind":1}]}',
    );
    expect([hostId, timestampMs, samples[0]!.value, samples[0]!.kind]).toEqual([
      "h",
      1_767_225_600_000n,
      Number.NaN,
      Kind.GAUGE,
    ]);
  });
});

describe("wire twins", () => {
  it("decode a batch to the bytes of its reports, which are the reports", () => {
    const request = create(ReportRequestSchema, { sequence: 7, reports: [report, report] });
    const batch = fromBinary(ReportBatchSchema, toBinary(ReportRequestSchema, request));
    expect(batch.sequence).toBe(7);
    expect(batch.reports.map(hex)).toEqual([golden, golden]);
  });

  it("encode to what the messages decode", () => {
    const reports = [Buffer.from(golden, "hex")];
    const request = fromBinary(
      ReportRequestSchema,
      toBinary(ReportBatchSchema, create(ReportBatchSchema, { sequence: 0xffffffff, reports })),
    );
    expect(request).toEqual(create(ReportRequestSchema, { sequence: 0xffffffff, reports: [report] }));
    const push = fromBinary(
      PushRequestSchema,
      toBinary(PushBatchSchema, create(PushBatchSchema, { reports })),
    );
    expect(push).toEqual(create(PushRequestSchema, { reports: [report] }));
  });

  it.each([
    [ReportBatchSchema, ReportRequestSchema],
    [PushBatchSchema, PushRequestSchema],
  ])("have the fields of the messages: %s and %s", (twin, message) => {
    const shape = (schema: typeof twin | typeof message): unknown =>
      schema.fields.map(({ name, number, fieldKind }) => [name, number, fieldKind]);
    expect(shape(twin)).toEqual(shape(message));
  });
});
