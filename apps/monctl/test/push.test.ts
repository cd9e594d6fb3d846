import { create } from "@bufbuild/protobuf";
import { Durability, OutcomeSchema, Reason, type Report, ReportSchema } from "@mon/proto";
import { describe, expect, it } from "vitest";
import { Batcher, batchLimits } from "../src/batcher.ts";
import { reportFromSamples } from "../src/commands/push.ts";
import { PushLedger } from "../src/push-ledger.ts";
import { type ReadReport, readReports } from "../src/report-reader.ts";

async function collect(reports: AsyncIterable<ReadReport>): Promise<ReadReport[]> {
  const all: ReadReport[] = [];
  for await (const report of reports) all.push(report);
  return all;
}

async function read(...chunks: string[]): Promise<ReadReport[]> {
  async function* bytes(): AsyncGenerator<Uint8Array> {
    for (const chunk of chunks) yield new TextEncoder().encode(chunk);
  }
  return await collect(readReports(bytes()));
}

const line = (host: string): string =>
  `{"hostId":"${host}","timestampMs":"5","samples":[{"name":"up","value":1}]}`;
const hostsOf = (all: ReadReport[]): string[] =>
  all.map((one) => ("report" in one ? one.report.hostId : `${one.place}: ${one.message}`));

describe("a file of reports", () => {
  it("is NDJSON, an array, an object of reports, or one report over many lines", async () => {
    expect(hostsOf(await read(`${line("a")}\n\n${line("b")}`))).toEqual(["a", "b"]);
    expect(hostsOf(await read(`[${line("a")},\n${line("b")}]\n`))).toEqual(["a", "b"]);
    expect(hostsOf(await read(`{"reports":[${line("a")}]}`))).toEqual(["a"]);
    expect(hostsOf(await read(line("a").replaceAll(",", ",\n")))).toEqual(["a"]);
    expect(await read("")).toEqual([]);
  });

  it("may be cut anywhere, also inside a character", async () => {
    const whole = new TextEncoder().encode(`${line("a")}\n${line("b").replace('"up"', '"é"')}\n`);
    async function* bytes(): AsyncGenerator<Uint8Array> {
      for (const byte of whole) yield Uint8Array.of(byte);
    }
    const all = await collect(readReports(bytes()));
    expect(all.at(-1)).toMatchObject({ report: { samples: [{ name: "é" }] } });
  });

  it("goes on after a report that cannot be read, and names its place", async () => {
    const all = hostsOf(await read(`${line("a")}\nbad\n{"hostId":7}\n${line("b")}\n`));
    expect(all).toHaveLength(4);
    expect(all[1]).toMatch(/^line 2: expected a report/);
    expect(all[2]).toMatch(/^line 3: .*host_?[iI]d/);
    expect(all[3]).toBe("b");
  });

  it("that is no JSON at all fails", async () => {
    await expect(read("hello\nworld")).rejects.toMatchObject({ code: "MONCTL_FAILURE" });
  });
});

describe("a batcher", () => {
  const report = (samples: number, nameChars = 1): Report =>
    create(ReportSchema, {
      hostId: "a",
      samples: Array.from({ length: samples }, () => ({ name: "x".repeat(nameChars), value: 1 })),
    });
  const sizes = (reports: Report[]): number[] => {
    const batcher = new Batcher();
    const batches = reports
      .map((one) => batcher.add({ place: "", report: one }))
      .filter((batch) => batch !== undefined);
    return [...batches, batcher.take()].map((batch) => batch.length);
  };

  it("cuts at the bounds of reports, samples and bytes", () => {
    expect(sizes(Array.from({ length: batchLimits.reports + 1 }, () => report(1)))).toEqual([
      batchLimits.reports,
      1,
    ]);
    expect(sizes([report(6_000), report(4_000), report(1)])).toEqual([2, 1]);
    expect(sizes([report(2_000, 1_000), report(2_000, 1_000)])).toEqual([1, 1]);
  });

  it("sends a report that is too large by itself, so that the broker refuses it by name", () => {
    expect(sizes([report(10_001), report(1)])).toEqual([1, 1]);
  });
});

describe("a ledger", () => {
  it("names the weakest durability and the fewest copies of all batches, and where each rejection was", () => {
    const ledger = new PushLedger();
    ledger.addOutcome(
      create(OutcomeSchema, { reportsStored: 1, samplesStored: 2, durability: Durability.FSYNC, copies: 2 }),
      ["line 1"],
    );
    ledger.addOutcome(
      create(OutcomeSchema, {
        reportsStored: 1,
        samplesStored: 1,
        durability: Durability.PROCESS,
        copies: 1,
        rejections: [
          { reportIndex: 1, reason: Reason.HOST_ID_INVALID, field: "reports[1].host_id", message: "no" },
        ],
        refusals: [{ reportIndex: 2, message: "busy" }],
        retryDelayMs: 250,
      }),
      ["line 2", "line 3", "line 4"],
    );
    expect(ledger.complete).toBe(false);
    expect(ledger.view().document).toMatchObject({
      reportsStored: 2,
      samplesStored: 3,
      durability: "process",
      copies: 1,
      rejected: 1,
      rejections: [{ place: "line 3", reason: "host_id_invalid" }],
      refused: 1,
      refusals: [{ place: "line 4", message: "busy" }],
    });
    expect(ledger.view().table({ headers: true, style: (_, text) => text })).toBe(
      [
        "stored 3 samples of 2 reports: process, 1 copy",
        "AT      REASON           FIELD               MESSAGE",
        "line 3  host_id_invalid  reports[1].host_id  no",
        "line 4  refused for now  -                   busy",
        "",
      ].join("\n"),
    );
  });

  it("does not let a batch of which nothing is stored weaken what the others reached", () => {
    const ledger = new PushLedger();
    ledger.addOutcome(
      create(OutcomeSchema, { reportsStored: 1, samplesStored: 1, durability: Durability.FSYNC, copies: 1 }),
      ["a"],
    );
    ledger.addOutcome(create(OutcomeSchema, { rejectionsOmitted: 3 }), ["b"]);
    expect(ledger.view().document).toMatchObject({ durability: "fsync", copies: 1, rejected: 3 });
  });
});

describe("a report from the command line", () => {
  it("has the host, the instant, the kind and the labels of each sample", () => {
    const report = reportFromSamples(
      ['a{x="1"}=2', "b=3"],
      { host: "h", kind: "counter", label: ["q=m=n"], time: "-1s" },
      5_000,
    );
    expect(report).toMatchObject({
      hostId: "h",
      timestampMs: 4_000n,
      samples: [
        {
          name: "a",
          value: 2,
          kind: 2,
          labels: [
            { name: "x", value: "1" },
            { name: "q", value: "m=n" },
          ],
        },
        { name: "b", value: 3, kind: 2, labels: [{ name: "q", value: "m=n" }] },
      ],
    });
  });

  it("needs a host, and labels with a name", () => {
    expect(() => reportFromSamples(["a=1"], {}, 0)).toThrow("--host");
    expect(() => reportFromSamples(["a=1"], { host: "h", label: ["=x"] }, 0)).toThrow("--label");
  });
});
