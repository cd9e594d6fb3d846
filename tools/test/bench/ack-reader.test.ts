import { create, type MessageInitShape, toBinary } from "@bufbuild/protobuf";
import { Durability, Reason, ReportResponseSchema } from "@mon/proto";
import fc from "fast-check";
import { expect, test } from "vitest";
import { AckReader } from "../../bench/ack-reader.ts";

/** `SEED=… vitest run` repeats a run; a failure prints its seed. */
const parameters = process.env.SEED === undefined ? {} : { seed: Number(process.env.SEED) };

function frame(response: MessageInitShape<typeof ReportResponseSchema>): Buffer {
  const message = toBinary(ReportResponseSchema, create(ReportResponseSchema, response));
  const prefix = Buffer.alloc(5);
  prefix.writeUInt32BE(message.length, 1);
  return Buffer.concat([prefix, message]);
}

function readAll(reader: AckReader, chunk: Uint8Array) {
  const answers: Pick<
    AckReader,
    "sequence" | "reportsStored" | "samplesStored" | "durability" | "hasFaults"
  >[] = [];
  reader.push(chunk);
  while (reader.next()) {
    const { sequence, reportsStored, samplesStored, durability, hasFaults } = reader;
    answers.push({ sequence, reportsStored, samplesStored, durability, hasFaults });
  }
  return answers;
}

test("answers are read whole, however the stream is cut", () => {
  const answer = fc.record({
    sequence: fc.nat(0xffffffff),
    reportsStored: fc.nat(0xffffffff),
    samplesStored: fc.nat(0xffffffff),
    durability: fc.constantFrom(Durability.UNSPECIFIED, Durability.MEMORY, Durability.FSYNC),
  });
  fc.assert(
    fc.property(fc.array(answer), fc.array(fc.nat(200)), (answers, cuts) => {
      const bytes = Buffer.concat(answers.map(({ sequence, ...outcome }) => frame({ sequence, outcome })));
      const reader = new AckReader();
      const ends = [...cuts.filter((cut) => cut < bytes.length).sort((a, b) => a - b), bytes.length];
      const read = ends.flatMap((end, index) => readAll(reader, bytes.subarray(ends[index - 1] ?? 0, end)));
      expect(read).toEqual(answers.map((one) => ({ ...one, hasFaults: false })));
    }),
    parameters,
  );
});

test.each<[string, MessageInitShape<typeof ReportResponseSchema>["outcome"]]>([
  ["rejections", { rejections: [{ reason: Reason.VALUE_NAN }] }],
  ["refusals", { refusals: [{ message: "later" }], retryDelayMs: 1_000 }],
])("an outcome with %s has faults, and the answer after it none", (_what, outcome) => {
  const bytes = Buffer.concat([frame({ sequence: 1, outcome: { ...outcome } }), frame({ sequence: 2 })]);
  expect(readAll(new AckReader(), bytes)).toMatchObject([
    { sequence: 1, hasFaults: true },
    { sequence: 2, hasFaults: false },
  ]);
});

test("an empty message is an answer without a number", () => {
  expect(readAll(new AckReader(), Buffer.alloc(10))).toMatchObject([{ sequence: 0 }, { sequence: 0 }]);
});

test("bytes that are no answer, or a compressed one, are refused", () => {
  expect(() => readAll(new AckReader(), Buffer.from([0, 0, 0, 0, 1, 0x1a]))).toThrow(
    "expected sequence or outcome",
  );
  expect(() => readAll(new AckReader(), Buffer.from([1, 0, 0, 0, 0]))).toThrow("not compressed");
});
