import { Kind, type ListMetricsResponse, MatchType } from "@mon/proto";
import type { Command } from "commander";
import { assertKnownHosts } from "../broker.ts";
import { type Choose, type Context, commonFormats, showOnce } from "../context.ts";
import { examples, gather } from "../help.ts";
import { enumWord } from "../json.ts";
import { matchersFromSelector } from "../matchers.ts";
import { formatTable } from "../table.ts";
import { printable } from "../text.ts";
import type { View } from "../view.ts";

/** Adds `metrics`: what hosts measure. */
export function addMetrics(program: Command, choose: Choose): void {
  program
    .command("metrics")
    .summary("metrics that hosts have")
    .description(
      "Lists metrics: whether each is a gauge or a counter, how many series it has and their labels.",
    )
    .argument("[selector]", 'only of series like these: name{label="value"}')
    .option("--host <id>", "only of this host; may be repeated", gather)
    .addHelpText(
      "after",
      examples(
        "monctl metrics",
        "monctl metrics --host web-1",
        `monctl metrics '{__name__=~"system_.*"}'`,
        "monctl metrics -q",
      ),
    )
    .action((selector: string | undefined, options: { host?: string[] }) =>
      choose(commonFormats, (context) =>
        showOnce(context, () => fetchMetrics(context, selector, options.host ?? [])),
      ),
    );
}

async function fetchMetrics(context: Context, selector: string | undefined, hosts: string[]): Promise<View> {
  const { name, matchers } = matchersFromSelector(selector);
  const conditions =
    name === "" ? matchers : [...matchers, { label: "__name__", type: MatchType.EQUAL, value: name }];
  const broker = await context.broker();
  const answer = await broker.query.listMetrics({ hosts, matchers: conditions }, broker.call);
  if (answer.metrics.length === 0) await assertKnownHosts(broker, hosts);
  return metricsView(answer);
}

/** Builds what `metrics` shows. */
function metricsView(answer: ListMetricsResponse): View {
  const rows = answer.metrics.map((metric) => ({
    name: metric.name,
    kind: enumWord(Kind, metric.kind),
    series: metric.series,
    labels: metric.labelNames,
  }));
  const notes = answer.truncated ? [`only the first ${rows.length} metrics are listed`] : [];
  return {
    document: { metrics: rows, truncated: answer.truncated },
    rows,
    ids: rows.map((row) => printable(row.name)),
    notes: rows.length === 0 ? ["no metric matches"] : notes,
    table: ({ headers, style }) =>
      formatTable(
        [{ title: "METRIC" }, { title: "KIND" }, { title: "SERIES", align: "right" }, { title: "LABELS" }],
        rows.map((row) => [
          printable(row.name),
          row.kind === "unspecified" ? "-" : row.kind,
          String(row.series),
          printable(row.labels.join(", ")) || "-",
        ]),
        { headers, styleHeader: (line) => style("dim", line) },
      ),
  };
}
