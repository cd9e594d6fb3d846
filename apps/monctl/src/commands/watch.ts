import type { Report, WatchResponse } from "@mon/proto";
import type { Command } from "commander";
import type { Broker } from "../broker.ts";
import { type Choose, type Context, commonFormats } from "../context.ts";
import { MonctlError } from "../errors.ts";
import { examples, gather } from "../help.ts";
import { matchersFromSelector, type SeriesChoice } from "../matchers.ts";
import { type SampleRow, sampleDocument } from "../sample.ts";
import { formatHostSeries, formatSeries } from "../selector.ts";
import { printable } from "../text.ts";
import { formatInstant } from "../time.ts";
import { formatValue, unitFromName } from "../units.ts";

interface WatchOptions {
  host?: string[];
  count?: string;
}

/** Adds `watch`: a live tail of what is stored. */
export function addWatch(program: Command, choose: Choose): void {
  program
    .command("watch")
    .summary("samples as they are stored")
    .description(
      "Shows samples as they are stored, a line each, until Ctrl-C. Reports that it missed are noted on stderr.",
    )
    .argument("[selector]", 'only of series like these: name{label="value"}')
    .option("--host <id>", "only of this host; may be repeated", gather)
    .option("--count <n>", "stop after this many samples")
    .addHelpText(
      "after",
      examples(
        "monctl watch",
        "monctl watch system_cpu_utilization_ratio --host web-1",
        "monctl watch --json --count 100 | jq .value",
      ),
    )
    .action((selector: string | undefined, options: WatchOptions) =>
      choose(commonFormats, (context) => watch(context, matchersFromSelector(selector), options)),
    );
}

async function watch(context: Context, choice: SeriesChoice, options: WatchOptions): Promise<number> {
  const count = parseCount(options.count);
  const broker = await context.broker();
  try {
    if ((await tail(context, broker, { hosts: options.host ?? [], ...choice }, count)) === count) return 0;
  } catch (error) {
    if (context.stop.aborted) return 0;
    throw error;
  }
  throw new MonctlError("MONCTL_UNREACHABLE", "expected the broker to go on, got the end of the stream", {
    hint: "the broker may be draining; start again",
  });
}

/** Prints samples until there are `count`; resolves with how many it printed. */
async function tail(
  context: Context,
  broker: Broker,
  request: { hosts: string[] } & SeriesChoice,
  count: number,
): Promise<number> {
  let printed = 0;
  for await (const message of broker.query.watch(request, { signal: context.stop })) {
    if (message.reportsMissed > 0) {
      context.output.note(
        `missed ${message.reportsMissed} reports, because they came faster than they were read`,
      );
    }
    const rows = rowsOf(message).slice(0, count - printed);
    await context.output.write(rows.map((row) => `${line(row, context)}\n`).join(""));
    printed += rows.length;
    if (printed === count) break;
  }
  return printed;
}

function rowsOf(message: WatchResponse): SampleRow[] {
  return message.reports.flatMap((report: Report) =>
    report.samples.map(({ name, labels, kind, value }) => {
      return { host: report.hostId, name, labels, kind, timeMs: Number(report.timestampMs), value };
    }),
  );
}

function line(row: SampleRow, { settings }: Context): string {
  const series = formatSeries(row.name, row.labels);
  if (settings.quiet) return formatHostSeries(row.host, row.name, row.labels);
  if (settings.format !== "table") return JSON.stringify(sampleDocument(row));
  const value = formatValue(row.value, unitFromName(row.name));
  return `${formatInstant(row.timeMs)}  ${printable(row.host)}  ${series}  ${value}`;
}

function parseCount(text: string | undefined): number {
  if (text === undefined) return Number.POSITIVE_INFINITY;
  const count = Number(text);
  if (/^\d+$/.test(text) && Number.isSafeInteger(count) && count > 0) return count;
  throw new MonctlError("MONCTL_USAGE", `expected --count to be a whole number above 0, got "${text}"`);
}
