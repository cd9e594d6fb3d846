import type { QueryRangeResponse, QuerySummary } from "@mon/proto";
import { type Command, Option } from "commander";
import { assertKnownHosts, type Broker, eachMessageWithin } from "../broker.ts";
import { type Choose, type Context, commonFormats, showOnce } from "../context.ts";
import { MonctlError } from "../errors.ts";
import { examples, gather } from "../help.ts";
import { fetchLatest } from "../latest.ts";
import { matchersFromSelector, type SeriesChoice } from "../matchers.ts";
import { aggregationNames, type Range, type RangeFlags, resolveRange } from "../range.ts";
import { rangeView, summaryDocument, summaryNotes } from "../range-view.ts";
import { sampleCsv, sampleCsvHeader, sampleDocument } from "../sample.ts";
import { eachPoint, SeriesCollector } from "../series-collector.ts";
import type { View } from "../view.ts";

interface QueryOptions extends RangeFlags {
  host?: string[];
  points?: boolean;
  latest?: boolean;
}

/** Adds `query`: values over a range of time, or the last ones. */
export function addQuery(program: Command, choose: Choose): void {
  program
    .command("query")
    .summary("values over time, or the last ones")
    .description(
      "Shows the values of the chosen series over a range of time: the trend, the smallest, mean, largest and last.\n" +
        "Without --step and --agg these are the samples as stored.",
    )
    .argument(
      "<selector>",
      'which series: name{label="value",other=~"regexp"}; __host__ is the host, __name__ the name',
    )
    .option("--host <id>", "only of this host; may be repeated", gather)
    .option("--start <when>", "-1h, RFC 3339 or milliseconds since the epoch (default: -1h)")
    .option("--end <when>", "the last instant, included, as --start (default: now)")
    .option(
      "--step <duration>",
      'distance of two values, or "auto" (default: auto with --agg, else as stored)',
    )
    .addOption(new Option("--agg <how>", "what becomes of the samples of a step").choices(aggregationNames))
    .option("--points", "a line for each value")
    .addOption(
      new Option("--latest", "the last value of each series").conflicts([
        "start",
        "end",
        "step",
        "agg",
        "points",
      ]),
    )
    .addHelpText(
      "after",
      examples(
        "monctl query system_cpu_utilization_ratio --host web-1",
        `monctl query 'system_cpu_utilization_ratio{cpu_mode="user",__host__=~"web-.*"}' --start -6h --agg avg`,
        "monctl query system_network_io_bytes_total --agg rate --step 1m",
        "monctl query system_memory_usage_bytes --latest",
        "monctl query up --start 2026-11-23T17:00:00Z --end 2026-11-23T18:00:00Z --output csv > up.csv",
      ),
    )
    .action((selector: string, options: QueryOptions) =>
      choose([...commonFormats, "csv"], (context) => query(context, matchersFromSelector(selector), options)),
    );
}

async function query(context: Context, choice: SeriesChoice, options: QueryOptions): Promise<number> {
  const hosts = options.host ?? [];
  if (options.latest) return await showOnce(context, () => fetchLatest(context, choice, hosts));
  const range = resolveRange(options, context.now());
  const broker = await context.broker();
  const answer = readRange(broker, context, choice, hosts, range);
  const { format, quiet } = context.settings;
  if (!quiet && (format === "jsonl" || format === "csv")) return await stream(context, answer);
  return await showOnce(context, () => collect(answer, range, options.points ?? false));
}

/** Hands over the parts of an answer and returns its summary. */
type RangeAnswer = AsyncGenerator<QueryRangeResponse, QuerySummary>;

async function* readRange(
  broker: Broker,
  context: Context,
  choice: SeriesChoice,
  hosts: string[],
  range: Range,
): RangeAnswer {
  const request = {
    hosts,
    ...choice,
    startMs: BigInt(range.startMs),
    endMs: BigInt(range.endMs),
    stepMs: BigInt(range.stepMs),
    aggregation: range.aggregation,
  };
  let summary: QuerySummary | undefined;
  for await (const message of eachMessageWithin(context.settings.timeoutMs, (silence) =>
    broker.query.queryRange(request, { signal: AbortSignal.any([context.stop, silence]) }),
  )) {
    yield message;
    summary = message.summary;
  }
  if (summary === undefined) {
    throw new MonctlError(
      "MONCTL_FAILURE",
      "expected a summary at the end of the answer, got an answer that was cut",
      {
        hint: "what came is incomplete; ask again",
      },
    );
  }
  if (summary.series === 0) await assertKnownHosts(broker, hosts);
  return summary;
}

async function collect(answer: RangeAnswer, range: Range, points: boolean): Promise<View> {
  const collector = new SeriesCollector();
  for (;;) {
    const part = await answer.next();
    if (part.done) return rangeView(collector.series, part.value, range, points);
    collector.add(part.value);
  }
}

/** Writes values as they come and holds none: in order of host, and within a host in slices of time. */
async function stream({ settings, output }: Context, answer: RangeAnswer): Promise<number> {
  const csv = settings.format === "csv";
  if (csv && settings.headers) await output.write(sampleCsvHeader);
  for (;;) {
    const part = await answer.next();
    if (part.done) {
      if (!csv) await output.write(`${JSON.stringify({ summary: summaryDocument(part.value) })}\n`);
      for (const note of summaryNotes(part.value)) output.note(note);
      return 0;
    }
    await output.write(messageText(part.value, csv));
  }
}

function messageText(message: QueryRangeResponse, csv: boolean): string {
  const lines: string[] = [];
  for (const part of message.series) {
    const { hostId: host = "", name = "", labels = [], kind = 0 } = part.series ?? {};
    eachPoint(part, (timeMs, value) => {
      const row = { host, name, labels, kind, timeMs, value };
      lines.push(csv ? sampleCsv(row) : `${JSON.stringify(sampleDocument(row))}\n`);
    });
  }
  return lines.join("");
}
