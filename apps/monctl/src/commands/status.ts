import { BrokerState, Durability, Reason, type StatusResponse } from "@mon/proto";
import type { Command } from "commander";
import { type Choose, type Context, commonFormats, showOnce, showRepeatedly } from "../context.ts";
import { examples, watchOption } from "../help.ts";
import { enumWord, jsonInteger } from "../json.ts";
import type { Style } from "../output.ts";
import { formatTable } from "../table.ts";
import { printable } from "../text.ts";
import { formatDuration, formatInstant } from "../time.ts";
import { formatBytes, formatNumber } from "../units.ts";
import type { View } from "../view.ts";

/** Adds `status`: how a broker is. A degraded broker is an answer too, so it exits 0. */
export function addStatus(program: Command, choose: Choose): void {
  program
    .command("status")
    .summary("how the broker is")
    .description("Shows how a broker is: a sentence on its health, its problems, intake, store and process.")
    .addOption(watchOption())
    .addHelpText(
      "after",
      examples("monctl status", "monctl status --watch=5s", "monctl status --json | jq .intake"),
    )
    .action((options: { watch?: string }) =>
      choose(commonFormats, (context) => {
        const fetch = (): Promise<View> => fetchStatus(context);
        return options.watch === undefined
          ? showOnce(context, fetch)
          : showRepeatedly(context, options.watch, fetch);
      }),
    );
}

async function fetchStatus(context: Context): Promise<View> {
  const broker = await context.broker();
  return statusView(await broker.admin.status({}, broker.call));
}

/** Builds what `status` shows. */
function statusView(status: StatusResponse): View {
  const document = statusDocument(status);
  return {
    document,
    rows: [document],
    ids: [printable(status.brokerId)],
    notes: [],
    table: ({ headers, style }) => statusText(status, headers, style),
  };
}

/** Says in one sentence how a broker is. */
function healthSentence(status: StatusResponse): string {
  const { intake, store } = status;
  const doing = enumWord(BrokerState, status.state);
  const work =
    intake === undefined || store === undefined
      ? ""
      : `: ${count(store.hosts, "host")}, ${count(store.series, "series", "series")}, ` +
        `${formatNumber(intake.reportsPerSecond)} reports/s, ${formatNumber(intake.samplesPerSecond)} samples/s`;
  const problems = [...status.problems, ...(store?.damage ?? [])].length;
  const trouble = problems === 0 ? "" : `; ${count(BigInt(problems), "problem")}`;
  return `Broker ${printable(status.brokerId)} is ${doing}${work}${trouble}.`;
}

function statusText(status: StatusResponse, headers: boolean, style: Style): string {
  const healthy = status.state === BrokerState.SERVING && status.problems.length === 0;
  const lines = [style(healthy ? "good" : "bad", healthSentence(status))];
  for (const problem of status.problems) lines.push(`  problem: ${printable(problem)}`);
  for (const damage of status.store?.damage ?? []) lines.push(`  damage: ${printable(damage)}`);
  const table = formatTable([{ title: "PART" }, { title: "WHAT" }, { title: "VALUE" }], statusRows(status), {
    headers,
    styleHeader: (line) => style("dim", line),
  });
  return `${lines.join("\n")}\n\n${table}`;
}

function statusRows(status: StatusResponse): string[][] {
  const { intake, store, process } = status;
  const rows = [
    ["broker", "id", printable(status.brokerId)],
    ["broker", "version", printable(status.version)],
    ["broker", "state", enumWord(BrokerState, status.state)],
    ["broker", "up for", formatDuration(Number(status.uptimeMs))],
    ["broker", "clock", formatInstant(Number(status.timeMs))],
  ];
  if (intake !== undefined) {
    const latency = intake.ackLatency;
    rows.push(
      ["intake", "reports stored", `${intake.reports} (${formatNumber(intake.reportsPerSecond)}/s)`],
      ["intake", "samples stored", `${intake.samples} (${formatNumber(intake.samplesPerSecond)}/s)`],
      ["intake", "batches", String(intake.batches)],
      ["intake", "repeats", String(intake.reportsRepeated)],
      ["intake", "refused for now", String(intake.reportsRefused)],
      ...intake.rejections.map(({ reason, count }) => [
        "intake",
        `rejected ${enumWord(Reason, reason)}`,
        String(count),
      ]),
      ["intake", "timestamps converted", String(intake.timestampsConverted)],
      ["intake", "in flight", `${bytes(intake.bytesInFlight)} of ${bytes(intake.bytesInFlightMax)}`],
      ["intake", "open streams", String(intake.streams)],
    );
    if (latency !== undefined && latency.count > 0n) {
      const [half, most, all] = [latency.p50Ms, latency.p99Ms, latency.maxMs].map(formatNumber);
      rows.push(["intake", "ack latency", `p50 ${half} ms, p99 ${most} ms, max ${all} ms`]);
    }
  }
  if (store !== undefined) {
    rows.push(
      ["store", "kind", printable(store.kind)],
      ["store", "where", printable(store.location)],
      ["store", "durability", enumWord(Durability, store.durability)],
      ["store", "hosts", String(store.hosts)],
      ["store", "series", String(store.series)],
      ["store", "size", bytes(store.bytes)],
      ["store", "kept for", formatDuration(Number(store.retentionMs))],
      ["store", "conflicts", String(store.conflicts)],
      ["store", "series over limit", String(store.seriesOverLimit)],
    );
  }
  if (process !== undefined) {
    rows.push(
      ["process", "pid", String(process.pid)],
      ["process", "memory", `${bytes(process.residentBytes)}, heap ${bytes(process.heapBytes)}`],
      ["process", "processor time", formatDuration(process.cpuSeconds * 1_000)],
      ["process", "event loop delay", `p99 ${formatNumber(process.eventLoopDelayP99Ms)} ms`],
    );
  }
  return rows;
}

function statusDocument(status: StatusResponse): Record<string, unknown> {
  const { intake, store, process } = status;
  const latency = intake?.ackLatency;
  return {
    brokerId: status.brokerId,
    version: status.version,
    state: enumWord(BrokerState, status.state),
    health: healthSentence(status),
    problems: status.problems,
    timeMs: jsonInteger(status.timeMs),
    uptimeMs: jsonInteger(status.uptimeMs),
    intake: intake && {
      batches: jsonInteger(intake.batches),
      reports: jsonInteger(intake.reports),
      samples: jsonInteger(intake.samples),
      reportsRepeated: jsonInteger(intake.reportsRepeated),
      reportsRefused: jsonInteger(intake.reportsRefused),
      rejections: Object.fromEntries(
        intake.rejections.map(({ reason, count }) => [enumWord(Reason, reason), jsonInteger(count)]),
      ),
      bytesInFlight: jsonInteger(intake.bytesInFlight),
      bytesInFlightMax: jsonInteger(intake.bytesInFlightMax),
      streams: intake.streams,
      ackLatency: latency && {
        count: jsonInteger(latency.count),
        p50Ms: latency.p50Ms,
        p99Ms: latency.p99Ms,
        maxMs: latency.maxMs,
      },
      reportsPerSecond: intake.reportsPerSecond,
      samplesPerSecond: intake.samplesPerSecond,
      timestampsConverted: jsonInteger(intake.timestampsConverted),
    },
    store: store && {
      kind: store.kind,
      location: store.location,
      durability: enumWord(Durability, store.durability),
      hosts: jsonInteger(store.hosts),
      series: jsonInteger(store.series),
      seriesOverLimit: jsonInteger(store.seriesOverLimit),
      bytes: jsonInteger(store.bytes),
      retentionMs: jsonInteger(store.retentionMs),
      conflicts: jsonInteger(store.conflicts),
      damage: store.damage,
    },
    process: process && {
      pid: process.pid,
      residentBytes: jsonInteger(process.residentBytes),
      heapBytes: jsonInteger(process.heapBytes),
      cpuSeconds: process.cpuSeconds,
      eventLoopDelayP99Ms: process.eventLoopDelayP99Ms,
    },
  };
}

function bytes(size: bigint): string {
  return formatBytes(Number(size));
}

function count(amount: bigint, one: string, many: string = `${one}s`): string {
  return `${amount} ${amount === 1n ? one : many}`;
}
