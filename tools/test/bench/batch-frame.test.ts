import { fromBinary } from "@bufbuild/protobuf";
import { BatchReader, defaultRules } from "@mon/intake";
import { type ReportRequest, ReportRequestSchema, ReportSchema } from "@mon/proto";
import { ReportBatchSchema } from "@mon/proto/wire";
import { fragmentId } from "@mon/store";
import fc from "fast-check";
import { describe, expect, test } from "vitest";
import { BatchFrame, framePrefixBytes } from "../../bench/batch-frame.ts";
import { corpusNames, createReportTemplate } from "../../bench/corpus.ts";
import { HostCycle } from "../../bench/host-cycle.ts";

/** `SEED=… vitest run` repeats a run; a failure prints its seed. */
const parameters = process.env.SEED === undefined ? {} : { seed: Number(process.env.SEED) };
const nowMs = 1_767_225_600_000;

/** The one message of a frame, whose prefix must be right. */
function messageOf({ bytes }: BatchFrame): Uint8Array {
  expect(bytes[0]).toBe(0);
  expect(bytes.readUInt32BE(1)).toBe(bytes.length - framePrefixBytes);
  return bytes.subarray(framePrefixBytes);
}

function decode(frame: BatchFrame): ReportRequest {
  return fromBinary(ReportRequestSchema, messageOf(frame));
}

test("a compact report is 545 bytes", () => {
  expect(createReportTemplate("compact").bytes).toHaveLength(545);
});

describe.each(corpusNames)("corpus %s", (name) => {
  const template = createReportTemplate(name);

  test("a report holds 20 samples under as many series, with values that differ", () => {
    const frame = new BatchFrame(template, 1, 1);
    frame.renew(new HostCycle(1, () => nowMs));
    const { samples } = decode(frame).reports[0]!;
    const series = samples.map(({ name, labels }) =>
      JSON.stringify([name, ...labels.map((label) => [label.name, label.value])]),
    );
    expect(new Set(series).size).toBe(20);
    expect(new Set(samples.map(({ value }) => value)).size).toBeGreaterThan(15);
  });

  test("intake takes every report as it is: no rejection, and fragments that are views of the frame", () => {
    const frame = new BatchFrame(template, 100, 300);
    const cycle = new HostCycle(30, () => nowMs);
    const reader = new BatchReader(defaultRules);
    const ids = new Set<string>();
    for (let round = 0; round < 10; round++) {
      frame.renew(cycle);
      const { reports } = fromBinary(ReportBatchSchema, messageOf(frame));
      const { fragments, rejections, sampleCounts } = reader.read(reports, nowMs);
      expect(rejections).toEqual([]);
      expect(sampleCounts).toEqual(Array(100).fill(20));
      for (const fragment of fragments) {
        expect(fragment.bytes.buffer).toBe(frame.bytes.buffer);
        ids.add(fragmentId(fragment));
      }
    }
    // Values differ from report to report, so no store can take one for another.
    expect(ids.size).toBe(1_000);
  });

  test("renewed frames change hosts, times and values, and nothing else", () => {
    const frames = fc.array(
      fc.record({ reports: fc.integer({ min: 1, max: 5 }), sequence: fc.integer({ min: 1, max: 20_000 }) }),
      { minLength: 1, maxLength: 4 },
    );
    const original = fromBinary(ReportSchema, template.bytes);
    fc.assert(
      fc.property(
        frames,
        fc.integer({ min: 1, max: 9 }),
        fc.integer({ min: 1, max: 6 }),
        (made, hosts, rounds) => {
          const cycle = new HostCycle(hosts, () => nowMs);
          const instants = new Set<string>();
          let reports = 0;
          for (const frame of made.map((one) => new BatchFrame(template, one.reports, one.sequence))) {
            for (let round = 0; round < rounds; round++) {
              frame.renew(cycle);
              const request = decode(frame);
              expect(request.sequence).toBe(frame.sequence);
              expect(request.reports).toHaveLength(frame.reports);
              for (const report of request.reports) {
                expect(report.hostId).toBe(`web-${String(reports++ % hosts).padStart(4, "0")}`);
                instants.add(`${report.hostId} ${report.timestampMs}`);
                expect(report.samples.map(({ value, ...rest }) => rest)).toEqual(
                  original.samples.map(({ value, ...rest }) => rest),
                );
              }
            }
          }
          expect(instants.size).toBe(reports);
        },
      ),
      { numRuns: 30, ...parameters },
    );
  });
});

test("hosts take turns; a pass is later than the one before, even when the clock stands or goes back", () => {
  const clock = [nowMs, nowMs, nowMs - 5, nowMs + 2 ** 33];
  const cycle = new HostCycle(2, () => clock.shift()!);
  const turns = Array.from({ length: 8 }, () => {
    cycle.next();
    return [cycle.host, cycle.timestampHigh * 2 ** 32 + cycle.timestampLow - nowMs];
  });
  expect(turns).toEqual([
    [0, 0],
    [1, 0],
    [0, 1],
    [1, 1],
    [0, 2],
    [1, 2],
    [0, 2 ** 33],
    [1, 2 ** 33],
  ]);
});

test.each([0, 10_001, 1.5])("%d hosts are refused: there are ids for 10,000", (hosts) => {
  expect(() => new HostCycle(hosts, () => nowMs)).toThrow(`expected 1 to 10000 hosts, got ${hosts}`);
});
