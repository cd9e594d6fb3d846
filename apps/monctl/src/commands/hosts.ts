import type { Host } from "@mon/proto";
import { type Command, Option } from "commander";
import { type Broker, eachPage } from "../broker.ts";
import { type Choose, type Context, commonFormats, showOnce, showRepeatedly } from "../context.ts";
import { MonctlError } from "../errors.ts";
import { examples, watchOption } from "../help.ts";
import { jsonInteger } from "../json.ts";
import { formatTable } from "../table.ts";
import { printable } from "../text.ts";
import { formatAge } from "../time.ts";
import type { View } from "../view.ts";

/** What hosts can be sorted by. */
type HostOrder = "id" | "seen" | "series" | "agent";

interface HostsOptions {
  sort: HostOrder;
  reverse?: boolean;
  watch?: string;
}

/** Adds `hosts`: the hosts that have data. */
export function addHosts(program: Command, choose: Choose): void {
  program
    .command("hosts")
    .summary("hosts that report")
    .description(
      "Lists hosts: when each was last seen, how many series it has and which agent reports for it.",
    )
    .argument("[prefix]", "only ids that start with this")
    .addOption(
      new Option("--sort <order>", "by id, newest first, most series first or agent")
        .choices(["id", "seen", "series", "agent"])
        .default("id"),
    )
    .option("--reverse", "the other way round")
    .addOption(watchOption())
    .addHelpText(
      "after",
      examples(
        "monctl hosts",
        "monctl hosts web- --sort seen",
        "monctl hosts -q | wc -l",
        "monctl hosts --watch=5s",
      ),
    )
    .action((prefix: string | undefined, options: HostsOptions) =>
      choose(commonFormats, (context) => {
        const fetch = (): Promise<View> => fetchHosts(context, prefix ?? "", options);
        return options.watch === undefined
          ? showOnce(context, fetch)
          : showRepeatedly(context, options.watch, fetch);
      }),
    );
}

/** The most hosts that are listed: they are sorted in memory. */
const hostsMax = 1_000_000;
const pageSize = 10_000;

async function fetchHosts(context: Context, prefix: string, options: HostsOptions): Promise<View> {
  const { hosts, total } = await listHosts(await context.broker(), prefix);
  sortHosts(hosts, options.sort);
  if (options.reverse) hosts.reverse();
  return hostsView(hosts, total, prefix, context.now());
}

async function listHosts(broker: Broker, prefix: string): Promise<{ hosts: Host[]; total: bigint }> {
  const hosts: Host[] = [];
  let total = 0n;
  for await (const page of eachPage((pageToken) =>
    broker.query.listHosts({ prefix, pageSize, pageToken }, broker.call),
  )) {
    for (const host of page.hosts) hosts.push(host);
    total = page.hostsTotal;
    if (hosts.length > hostsMax) {
      throw new MonctlError("MONCTL_FAILURE", `expected at most ${hostsMax} hosts, got more`, {
        hint: "choose some of them with a prefix: monctl hosts web-",
      });
    }
  }
  return { hosts, total };
}

/** Sorts in place; equal hosts stay in order of id. */
function sortHosts(hosts: Host[], order: HostOrder): void {
  hosts.sort((a, b) => compareHosts[order](a, b) || compareText(a.hostId, b.hostId));
}

const compareHosts: Readonly<Record<HostOrder, (a: Host, b: Host) => number>> = {
  id: () => 0,
  seen: (a, b) => Number(b.lastSeenMs - a.lastSeenMs),
  series: (a, b) => b.series - a.series,
  agent: (a, b) => compareText(agentOf(a), agentOf(b)),
};

/** Builds what `hosts` shows; the order is kept. */
function hostsView(hosts: readonly Host[], total: bigint, prefix: string, nowMs: number): View {
  const rows = hosts.map(hostDocument);
  return {
    document: { hosts: rows, hostsTotal: jsonInteger(total) },
    rows,
    ids: hosts.map((host) => printable(host.hostId)),
    notes:
      hosts.length === 0
        ? [prefix === "" ? "no host has reported yet" : `no host starts with "${prefix}"`]
        : [],
    table: ({ headers, style }) =>
      formatTable(
        [{ title: "HOST" }, { title: "LAST SEEN" }, { title: "SERIES", align: "right" }, { title: "AGENT" }],
        hosts.map((host) => [
          printable(host.hostId),
          formatAge(Number(host.lastSeenMs), nowMs),
          String(host.series),
          printable(agentOf(host)) || "-",
        ]),
        { headers, styleHeader: (line) => style("dim", line) },
      ),
  };
}

function hostDocument(host: Host): Record<string, unknown> {
  return {
    host: host.hostId,
    lastSeenMs: jsonInteger(host.lastSeenMs),
    lastHeartbeatMs: jsonInteger(host.lastHeartbeatMs),
    series: host.series,
    metadata: host.metadata,
  };
}

function agentOf(host: Host): string {
  return [host.metadata.agent_name, host.metadata.agent_version].filter(Boolean).join(" ");
}

function compareText(a: string, b: string): number {
  return a < b ? -1 : a > b ? 1 : 0;
}
