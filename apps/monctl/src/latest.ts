import type { QueryLatestResponse } from "@mon/proto";
import { assertKnownHosts, eachPage } from "./broker.ts";
import type { Context } from "./context.ts";
import { MonctlError } from "./errors.ts";
import type { SeriesChoice } from "./matchers.ts";
import { type SampleRow, sampleCsv, sampleCsvHeader, sampleDocument } from "./sample.ts";
import { formatHostSeries, formatSeries } from "./selector.ts";
import { formatTable } from "./table.ts";
import { printable } from "./text.ts";
import { formatAge } from "./time.ts";
import { formatValue, unitFromName } from "./units.ts";
import type { View } from "./view.ts";

/** The most last values that are shown: they are laid out in memory. */
const valuesMax = 1_000_000;

/**
 * Fetches the last value of each chosen series.
 *
 * @throws {MonctlError} MONCTL_NOT_FOUND when a named host is unknown, MONCTL_FAILURE beyond a million values
 */
export async function fetchLatest(context: Context, choice: SeriesChoice, hosts: string[]): Promise<View> {
  const broker = await context.broker();
  const rows: SampleRow[] = [];
  const missing: string[] = [];
  let partial = false;
  for await (const page of eachPage((pageToken) =>
    broker.query.queryLatest({ hosts, ...choice, pageToken }, broker.call),
  )) {
    for (const row of eachLatest(page)) rows.push(row);
    partial ||= page.partial;
    missing.push(...page.missing);
    if (rows.length > valuesMax) {
      throw new MonctlError("MONCTL_FAILURE", `expected at most ${valuesMax} last values, got more`, {
        hint: "choose some of them with --host or a narrower selector",
      });
    }
  }
  if (rows.length === 0) await assertKnownHosts(broker, hosts);
  return latestView(rows, partial, missing, context.now());
}

/** Builds what `query --latest` shows. */
function latestView(
  rows: readonly SampleRow[],
  partial: boolean,
  missing: readonly string[],
  nowMs: number,
): View {
  const documents = rows.map(sampleDocument);
  const notes = rows.length === 0 ? ["no series matches"] : [];
  if (partial) notes.push(`the answer is partial: ${printable(missing.join("; ")) || "data is missing"}`);
  return {
    document: { values: documents, partial, missing },
    rows: documents,
    ids: rows.map(({ host, name, labels }) => formatHostSeries(host, name, labels)),
    notes,
    csv: (headers) => (headers ? sampleCsvHeader : "") + rows.map(sampleCsv).join(""),
    table: ({ headers, style }) =>
      formatTable(
        [{ title: "HOST" }, { title: "SERIES" }, { title: "VALUE", align: "right" }, { title: "MEASURED" }],
        rows.map((row) => [
          printable(row.host),
          formatSeries(row.name, row.labels),
          formatValue(row.value, unitFromName(row.name)),
          formatAge(row.timeMs, nowMs),
        ]),
        { headers, styleHeader: (line) => style("dim", line) },
      ),
  };
}

function* eachLatest(page: QueryLatestResponse): Generator<SampleRow> {
  for (const host of page.hosts) {
    for (const { sample, timestampMs } of host.values) {
      if (sample === undefined) continue;
      const { name, labels, kind, value } = sample;
      yield { host: host.hostId, name, labels, kind, timeMs: Number(timestampMs), value };
    }
  }
}
