import type { LoopPhase, LoopVisit, LoopWindow } from "./loop.ts";
import { stallMs } from "./loop-delay.ts";
import type { Machine } from "./machine.ts";
import { batchSizes, hosts as hostsReporting } from "./measure.ts";
import type { Memory } from "./memory.ts";
import { questions } from "./range-queries.ts";
import {
  type BenchResults,
  type CaseResult,
  type CaseSummary,
  type Spread,
  spread,
  summarize,
} from "./results.ts";

const MiB = 1_048_576;

/** The result as Markdown, for terminals and for the record. */
export function renderResults(results: BenchResults): string {
  const { machine, corpus, seconds, rounds } = results;
  const sections = batchSizes.map((batchSize) => {
    const cases = results.cases.filter((one) => one.case.batchSize === batchSize);
    if (cases.length === 0) return [];
    const title = `Batches of ${batchSize === 1 ? "one report" : `${batchSize} reports`}`;
    return [`## ${title}`, "", caseTable(cases, corpus.samples), ""];
  });
  return [
    describe(machine),
    `Reports: ${corpus.samples} samples, ${corpus.reportBytes} bytes each (corpus "${corpus.name}"), ${hostsReporting} hosts in turn.`,
    `Figures are medians of n = ${rounds} rounds of ${seconds} s, the range in brackets; each round visits every server in turn.`,
    "",
    ...sections.flat(),
    ...(results.cases.length > 0 ? [legend, ""] : []),
    ...(results.cases.some(isVictoria) ? [victoriaLegend, ""] : []),
    ...memorySection(results),
    ...loopSection(results),
  ].join("\n");
}

function describe(machine: Machine): string {
  const { processor, cores, memoryBytes, system, node, fileSystem, date, commit, libraries } = machine;
  const memory = `${Math.round(memoryBytes / 1024 / MiB)} GiB`;
  return `${date}, commit ${commit}: ${processor}, ${cores} cores, ${memory}, ${system}, data on ${fileSystem}, Node ${node}, ${libraries.join(", ")}.`;
}

const legend = `Client and server are processes of their own on this machine. CPU is user and system time of the server process, all threads, at
the maximum. Latency is taken at half of the server's own maximum, at a fixed rate of arrivals, from when a batch was due to its
answer; "sent late" is how much of it, at the 99th percentile, the client was late itself. "× rate" and "× CPU" are against the bare
Connect server, medians of the rounds' ratios. "≥" stands where the client was busier than the server, which could take more.

The broker answers when all is on stable storage. The bare servers keep nothing: Connect and grpc-js decode into typed messages with
protobuf-es and answer with the batch's number, node:http2 only reads length prefixes and answers with five bytes. All have the
broker's flow-control windows but grpc-js, whose server has no option for them.`;

const victoriaLegend = `VictoriaMetrics gets the same samples as Influx lines, a batch in a request over connections that are kept alive: samples of
a report that have the same labels share a line, each as a field under its metric's name, and the host is a tag. It answers 204
from memory, and writes to disk later, without being asked to; a query afterwards found every sample that it had taken. "× VM" is
samples/s against it.`;

function isVictoria({ case: { target } }: CaseResult): boolean {
  return target.name === "victoria-metrics";
}

function caseTable(cases: readonly CaseResult[], samplesPerReport: number): string {
  const baseline = cases.find((one) => one.case.target.name === "connect");
  const victoria = cases.find(isVictoria);
  const head = [
    "server",
    "reports/s",
    "samples/s",
    "CPU µs/report",
    "p50 ms",
    "p99 ms",
    "sent late ms",
    "cores, server",
    "client",
    "× rate",
    "× CPU",
    ...(victoria === undefined ? [] : ["× VM"]),
    "failed",
  ];
  const rows = cases.map((one) =>
    caseRow(one.case.target.title, summarize(one, baseline, samplesPerReport, victoria)),
  );
  return markdownTable(head, rows);
}

function caseRow(title: string, summary: CaseSummary): string[] {
  const { serverCores, clientCores, ratios, rateToVictoria } = summary;
  const isClientBound = clientCores > 0.9 && clientCores > serverCores;
  return [
    title,
    (isClientBound ? "≥ " : "") + ranged(summary.reportsPerSecond, whole),
    whole(summary.samplesPerSecond),
    ranged(summary.serverCpuUsPerReport, (value) => value.toFixed(2)),
    ranged(summary.p50Ms, (value) => value.toFixed(2)),
    ranged(summary.p99Ms, (value) => value.toFixed(2)),
    summary.sendDelayP99Ms.toFixed(2),
    serverCores.toFixed(2),
    clientCores.toFixed(2),
    ratios?.rate.toFixed(2) ?? "",
    ratios?.cpu.toFixed(2) ?? "",
    ...(rateToVictoria === undefined ? [] : [rateToVictoria.toFixed(2)]),
    whole(summary.reportsFailed),
  ];
}

function memorySection({ memory }: BenchResults): string[] {
  const last = memory.at(-1);
  if (last === undefined) return [];
  const row = (title: string, pick: (one: (typeof memory)[number]) => Memory): string[] => {
    const of = (field: "residentBytes" | "heapBytes"): string =>
      ranged(spread(memory.map((one) => pick(one)[field] / MiB)), (value) => value.toFixed(1));
    return [title, of("residentBytes"), of("heapBytes")];
  };
  return [
    "## Memory of the broker",
    "",
    markdownTable(
      ["when", "resident MiB", "heap MiB"],
      [
        row("just started", ({ fresh }) => fresh),
        row(
          `${whole(last.filled.hosts)} hosts, ${whole(last.filled.series)} series reported`,
          ({ filled }) => filled,
        ),
      ],
    ),
    "",
    `By the broker's own status, n = ${memory.length}; nothing is collected before it is asked.`,
    "",
  ];
}

function loopSection({ loop }: BenchResults): string[] {
  if (loop === undefined) return [];
  const { hosts, series, samples, loadSeconds, reportsPerSecond, phases } = loop;
  const all = phases.flatMap(({ windows }) => windows);
  const kinds = [true, false].flatMap((isPacking) =>
    [false, true].map((hasQueries) => ({ isPacking, hasQueries })),
  );
  const rows = kinds.flatMap(({ isPacking, hasQueries }) => {
    const windows = all.filter(
      (one) => one.isPacking === isPacking && (one.queries !== undefined) === hasQueries,
    );
    const doing = ["reports", ...(isPacking ? ["packing"] : []), ...(hasQueries ? ["queries"] : [])];
    return windows.length === 0 ? [] : [loopRow(doing.join(", "), windows)];
  });
  return [
    "## Delay of the broker's main loop",
    "",
    markdownTable(
      [
        "while",
        "s",
        "p99.9 ms",
        "max ms",
        "CPU max ms",
        `stalls > ${stallMs} ms`,
        "queries",
        "failed",
        "samples read/s",
      ],
      rows,
    ),
    "",
    `The broker holds a week of ${hosts} hosts: ${whole(series)} series every 15 s, ${whole(samples)} samples, taken in ${loadSeconds.toFixed(0)} s before.`,
    `Reports of ${whole(hostsReporting)} hosts come at ${whole(reportsPerSecond)} a second; at first ${describeReports(phases[0])}; once the week was packed ${describeReports(phases[1])}.`,
    `Queries cover the 7 days and come one after another, in turn: ${questions.join("; ")}.`,
    "Something is due on the loop every millisecond; delay is how late the loop gets to it, waits for a core included. CPU is the most",
    "processor time that the loop's thread spent in between: a delay without those waits. Shown is the worst window of",
    `${all.length}, without and with queries in turn. ${describePacking(loop)}`,
    "",
  ];
}

function loopRow(title: string, windows: readonly LoopWindow[]): string[] {
  const sum = (pick: (window: LoopWindow) => number): number =>
    windows.reduce((total, window) => total + pick(window), 0);
  const max = (pick: (window: LoopWindow) => number): number => Math.max(...windows.map(pick));
  const seconds = sum((one) => one.seconds);
  return [
    title,
    seconds.toFixed(0),
    max(({ delay }) => delay.p999Ms).toFixed(1),
    max(({ delay }) => delay.maxMs).toFixed(1),
    max(({ delay }) => delay.cpuMaxMs).toFixed(1),
    whole(sum(({ delay }) => delay.stalls)),
    whole(sum(({ queries }) => queries?.finished ?? 0)),
    whole(sum(({ queries }) => queries?.failed ?? 0)),
    whole(sum(({ queries }) => queries?.samplesRead ?? 0) / seconds),
  ];
}

function describeReports({ latency, reportsFailed }: LoopPhase): string {
  const { p99Ms, maxMs } = latency;
  return `p99 ${p99Ms.toFixed(1)} ms, at most ${maxMs.toFixed(1)}, ${whole(reportsFailed)} failed`;
}

function describePacking({ packing }: LoopVisit): string {
  const { rounds, blocks, bytesBefore, bytesAfter, seconds, problem } = packing;
  if (problem !== undefined) return `The broker did not pack: ${problem}.`;
  const mebibytes = (bytes: number): string => `${(bytes / MiB).toFixed(1)} MiB`;
  return `Packing took ${seconds.toFixed(0)} s in ${rounds === 1 ? "one round" : `${rounds} rounds`} for ${whole(blocks)} blocks, ${mebibytes(bytesBefore)} before and ${mebibytes(bytesAfter)} after.`;
}

/** A table whose columns line up; all but the first hold figures. */
export function markdownTable(head: readonly string[], rows: readonly (readonly string[])[]): string {
  const widths = head.map((title, column) =>
    Math.max(4, title.length, ...rows.map((row) => row[column]?.length ?? 0)),
  );
  const line = (cells: readonly string[]): string => {
    const padded = widths.map((width, column) => {
      const cell = cells[column] ?? "";
      return column === 0 ? cell.padEnd(width) : cell.padStart(width);
    });
    return `| ${padded.join(" | ")} |`;
  };
  const rule = widths.map((width, column) =>
    column === 0 ? "-".repeat(width) : `${"-".repeat(width - 1)}:`,
  );
  return [line(head), `| ${rule.join(" | ")} |`, ...rows.map(line)].join("\n");
}

function ranged({ median, min, max }: Spread, format: (value: number) => string): string {
  if (min === max) return format(median);
  return `${format(median)} [${format(min)}–${format(max)}]`;
}

function whole(value: number): string {
  return Math.round(value).toLocaleString("en");
}
