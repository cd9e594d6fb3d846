import { create, fromBinary, toBinary } from "@bufbuild/protobuf";
import { Code } from "@connectrpc/connect";
import { ReportResponseSchema } from "@mon/proto";
import { ReportBatchSchema } from "@mon/proto/wire";
import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { GrpcFrames, grpcFrame } from "../src/doors/grpc-frames.ts";
import { MessageBuffers } from "../src/doors/message-buffers.ts";
import { outcomeMessage } from "../src/services/outcome-message.ts";
import { decodeReportBatch, encodeReportResponse } from "../src/services/report-batch.ts";

const seed = Number(process.env.SEED ?? 20261123);
const uint32 = fc.integer({ min: 0, max: 0xffffffff });

describe("frames of a gRPC call", () => {
  it("come out whole and in order, however their bytes are cut", () => {
    fc.assert(
      fc.property(
        fc.array(fc.uint8Array({ maxLength: 40 }), { maxLength: 8 }),
        fc.array(fc.integer({ min: 1, max: 60 }), { minLength: 1, maxLength: 40 }),
        (messages, cuts) => {
          const bytes = Buffer.concat(messages.map(grpcFrame));
          const buffers = new MessageBuffers();
          const frames = new GrpcFrames(1_000, buffers);
          const taken: number[][] = [];
          for (let at = 0, i = 0; at < bytes.length; i++) {
            const end = at + cuts[i % cuts.length]!;
            for (const message of frames.take(bytes.slice(at, end))) {
              taken.push([...message]);
              message.fill(0xee);
              buffers.give(message);
            }
            at = end;
          }
          expect(taken).toEqual(messages.map((message) => [...message]));
          expect(frames.isInMessage).toBe(false);
        },
      ),
      { numRuns: 2_000, seed },
    );
  });

  it("know when a message has begun that is not whole", () => {
    const frames = new GrpcFrames(1_000, new MessageBuffers());
    const bytes = grpcFrame(new Uint8Array(10));
    for (let end = 1; end < bytes.length; end++) {
      expect([...frames.take(bytes.subarray(end - 1, end))]).toEqual([]);
      expect(frames.isInMessage).toBe(true);
    }
    expect([...frames.take(bytes.subarray(bytes.length - 1))]).toHaveLength(1);
    expect(frames.isInMessage).toBe(false);
  });

  it("are put together in memory that grows with what has come", () => {
    const message = new Uint8Array(300_000).map((_, i) => i);
    const frames = new GrpcFrames(4_000_000, new MessageBuffers());
    const bytes = grpcFrame(message);
    const taken: Uint8Array[] = [];
    for (let at = 0; at < bytes.length; at += 16_384)
      taken.push(...frames.take(bytes.subarray(at, at + 16_384)));
    expect(taken).toHaveLength(1);
    expect(Buffer.compare(taken[0]!, message)).toBe(0);
  });

  it("are refused when too large, before their bytes have come, and when compressed", () => {
    const over = new GrpcFrames(10, new MessageBuffers());
    expect(() => [...over.take(Uint8Array.of(0, 0xff, 0xff, 0xff, 0xff))]).toThrow(
      expect.objectContaining({ code: Code.ResourceExhausted }),
    );
    const compressed = new GrpcFrames(10, new MessageBuffers());
    expect(() => [...compressed.take(Uint8Array.of(1, 0, 0, 0, 1, 7))]).toThrow(
      expect.objectContaining({ code: Code.InvalidArgument }),
    );
  });
});

describe("a report batch", () => {
  it("is decoded as protobuf-es decodes it, whatever the bytes, or refused as it refuses them", () => {
    const batch = fc
      .record({ sequence: uint32, reports: fc.array(fc.uint8Array({ maxLength: 200 }), { maxLength: 4 }) })
      .map((message) => toBinary(ReportBatchSchema, create(ReportBatchSchema, message)));
    // Bytes of a good batch with some changed; and anything.
    const changed = fc
      .tuple(batch, fc.array(fc.tuple(fc.nat(), fc.nat(255)), { maxLength: 3 }))
      .map(([bytes, changes]) => {
        for (const [at, byte] of changes) if (bytes.length > 0) bytes[at % bytes.length] = byte;
        return bytes;
      });
    fc.assert(
      fc.property(fc.oneof(batch, changed, fc.uint8Array({ maxLength: 30 })), (bytes) => {
        let expected: { sequence: number; reports: Uint8Array[] };
        try {
          expected = fromBinary(ReportBatchSchema, bytes);
        } catch {
          expect(() => decodeReportBatch(bytes)).toThrow(
            expect.objectContaining({ code: Code.InvalidArgument }),
          );
          return;
        }
        const { sequence, reports } = decodeReportBatch(bytes);
        expect(sequence).toBe(expected.sequence);
        expect(reports.map((report) => [...report])).toEqual(expected.reports.map((report) => [...report]));
      }),
      { numRuns: 5_000, seed },
    );
  });

  it("is answered with the bytes that protobuf-es makes of the answer", () => {
    const outcome = fc.record({
      reportsStored: uint32,
      samplesStored: uint32,
      durability: fc.constantFrom(undefined, "memory" as const, "process" as const, "fsync" as const),
      copies: fc.nat(9),
      rejections: fc.constantFrom(
        [],
        [{ reportIndex: 3, hostId: "h", name: "", reason: "malformed" as const, field: "f", message: "m" }],
      ),
      refusals: fc.constantFrom([], [{ reportIndex: 1, message: "the disk is full" }]),
      retryDelayMs: fc.constantFrom(0, 250),
    });
    fc.assert(
      fc.property(uint32, outcome, (sequence, answer) => {
        // A delay stands only beside refusals.
        const consistent = answer.refusals.length === 0 ? { ...answer, retryDelayMs: 0 } : answer;
        const message = create(ReportResponseSchema, { sequence, outcome: outcomeMessage(consistent) });
        expect(encodeReportResponse(sequence, consistent)).toEqual(toBinary(ReportResponseSchema, message));
      }),
      { numRuns: 2_000, seed },
    );
  });
});
