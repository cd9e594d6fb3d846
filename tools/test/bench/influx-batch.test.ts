import { fromBinary } from "@bufbuild/protobuf";
import { ReportRequestSchema } from "@mon/proto";
import fc from "fast-check";
import { expect, test } from "vitest";
import { BatchFrame, framePrefixBytes } from "../../bench/batch-frame.ts";
import { corpusNames, createReportTemplate } from "../../bench/corpus.ts";
import { HostCycle } from "../../bench/host-cycle.ts";
import { InfluxBatch, InfluxTemplate } from "../../bench/influx-batch.ts";

/** `SEED=… vitest run` repeats a run; a failure prints its seed. */
const parameters = process.env.SEED === undefined ? {} : { seed: Number(process.env.SEED) };
const nowMs = 1_767_225_600_000;

/** One sample as text: host, time, series and value. */
function show(
  host: string,
  timestampMs: bigint,
  name: string,
  labels: readonly [string, string][],
  value: number,
) {
  return `${host} ${timestampMs} ${name} ${JSON.stringify(labels)} ${value}`;
}

function samplesOfFrame({ bytes }: BatchFrame): string[] {
  const { reports } = fromBinary(ReportRequestSchema, bytes.subarray(framePrefixBytes));
  return reports.flatMap(({ hostId, timestampMs, samples }) =>
    samples.map(({ name, labels, value }) =>
      show(
        hostId,
        timestampMs,
        name,
        labels.map((label) => [label.name, label.value]),
        value,
      ),
    ),
  );
}

/** A reader of the line protocol without escapes, of which the corpora need none. */
function samplesOfLines(text: string): string[] {
  expect(text.endsWith("\n")).toBe(true);
  const pair = (one: string): [string, string] => one.split("=") as [string, string];
  return text
    .slice(0, -1)
    .split("\n")
    .flatMap((line) => {
      const [head = "", fields = "", time = ""] = line.split(" ");
      const [measurement, host = "", ...tags] = head.split(",");
      expect(measurement).toBe("report");
      return fields
        .split(",")
        .map(pair)
        .map(([name, value]) => show(pair(host)[1], BigInt(time), name, tags.map(pair), Number(value)));
    });
}

test.each(corpusNames)("lines of corpus %s hold the samples of the frame of the same batch", (name) => {
  const template = createReportTemplate(name);
  const lines = new InfluxTemplate(template);
  fc.assert(
    fc.property(
      fc.integer({ min: 1, max: 5 }),
      fc.integer({ min: 1, max: 20_000 }),
      fc.integer({ min: 1, max: 9 }),
      fc.integer({ min: 1, max: 6 }),
      (reports, number, hosts, rounds) => {
        const frame = new BatchFrame(template, reports, number);
        const batch = new InfluxBatch(lines, reports, number);
        const cycles = [new HostCycle(hosts, () => nowMs), new HostCycle(hosts, () => nowMs)] as const;
        for (let round = 0; round < rounds; round++) {
          frame.renew(cycles[0]);
          batch.renew(cycles[1]);
          expect(samplesOfLines(batch.bytes.toString()).sort()).toEqual(samplesOfFrame(frame).sort());
        }
      },
    ),
    { numRuns: 30, ...parameters },
  );
});

test("samples with the same labels share a line", () => {
  const batch = new InfluxBatch(new InfluxTemplate(createReportTemplate("compact")), 1, 1);
  batch.renew(new HostCycle(1, () => nowMs));
  // Those without labels, and those of path="/".
  expect(batch.bytes.toString().trimEnd().split("\n")).toHaveLength(2);
});
