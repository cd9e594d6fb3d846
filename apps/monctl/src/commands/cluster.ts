import { type ClusterMember, type ListMembersResponse, MemberState, PeerHealth } from "@mon/proto";
import type { Command } from "commander";
import { type Choose, type Context, commonFormats, showOnce, showRepeatedly } from "../context.ts";
import { examples, watchOption } from "../help.ts";
import { enumWord, jsonInteger } from "../json.ts";
import { formatTable } from "../table.ts";
import { printable } from "../text.ts";
import { formatAge } from "../time.ts";
import { formatNumber } from "../units.ts";
import type { View } from "../view.ts";

/** Adds `cluster members`, `cluster leave` and `cluster remove`. */
export function addCluster(program: Command, choose: Choose): void {
  const cluster = program
    .command("cluster")
    .summary("the brokers of the cluster; have one leave, or removed")
    .description("Shows the brokers of the cluster, has one of them leave, or removes one.")
    .addHelpText(
      "after",
      examples("monctl cluster", "monctl cluster leave mon-3", "monctl cluster remove mon-3"),
    );
  addMembers(cluster, choose);
  addLeave(cluster, choose);
  addRemove(cluster, choose);
}

function addMembers(cluster: Command, choose: Choose): void {
  cluster
    .command("members", { isDefault: true })
    .summary("the brokers of the cluster")
    .description(
      "Lists the members: state, how the asked broker judges their heartbeats, version, zone, weight and doors.",
    )
    .option("--stale", "what the asked broker knows, also without a majority")
    .addOption(watchOption())
    .addHelpText("after", examples("monctl cluster members", "monctl cluster members --watch=5s"))
    .action((options: { stale?: boolean; watch?: string }) =>
      choose(commonFormats, (context) => {
        const fetch = async (): Promise<View> => {
          const { admin, call } = await context.broker();
          return membersView(await admin.listMembers({ stale: options.stale ?? false }, call), context.now());
        };
        return options.watch === undefined
          ? showOnce(context, fetch)
          : showRepeatedly(context, options.watch, fetch);
      }),
    );
}

function addLeave(cluster: Command, choose: Choose): void {
  cluster
    .command("leave")
    .summary("have a broker give its share up")
    .description(
      "Has a broker give its share of the ring up. Where brokers share a store that is done at once; it may be stopped " +
        "when its state is left.",
    )
    .argument("<broker>", "its id")
    .addHelpText("after", examples("monctl cluster leave mon-3"))
    .action((nodeId: string) =>
      choose(commonFormats, (context) =>
        showOnce(context, async () => {
          const { admin, call } = await context.broker();
          const { state } = await admin.leave({ nodeId }, call);
          return outcomeView({ broker: nodeId, state: enumWord(MemberState, state) });
        }),
      ),
    );
}

function addRemove(cluster: Command, choose: Choose): void {
  cluster
    .command("remove")
    .summary("forget a broker")
    .description(
      "Forgets a broker that has left, that never got a share, or that is down and will not come back; what only its own " +
        "store held is lost to the cluster then. It may join again, with an empty data directory.",
    )
    .argument("<broker>", "its id")
    .addHelpText("after", examples("monctl cluster remove mon-3"))
    .action((nodeId: string) =>
      choose(commonFormats, (context: Context) =>
        showOnce(context, async () => {
          const { admin, call } = await context.broker();
          await admin.remove({ nodeId }, call);
          return outcomeView({ broker: nodeId, state: "removed" });
        }),
      ),
    );
}

function outcomeView(outcome: { broker: string; state: string }): View {
  return {
    document: outcome,
    rows: [outcome],
    ids: [printable(outcome.broker)],
    notes: [],
    table: () => `${printable(outcome.broker)}: ${outcome.state}\n`,
  };
}

function membersView(
  { clusterId, members, leaderId, isStoreShared }: ListMembersResponse,
  nowMs: number,
): View {
  const rows = members.map((member) => memberDocument(member, leaderId));
  return {
    document: {
      clusterId,
      store: isStoreShared ? "shared" : "local",
      leader: leaderId || null,
      members: rows,
    },
    rows,
    ids: rows.map(({ broker }) => printable(broker)),
    notes: leaderId === "" ? ["no leader is known"] : [],
    table: ({ headers, style }) =>
      formatTable(
        [
          ...["BROKER", "STATE", "SINCE", "ANSWERS", "VERSION", "ZONE"].map((title) => ({ title })),
          { title: "WEIGHT", align: "right" },
          { title: "AGENTS" },
          { title: "PEERS" },
        ],
        rows.map((row) => [
          `${printable(row.broker)}${row.isLeader ? " (leader)" : ""}`,
          row.state,
          formatAge(Number(row.sinceMs), nowMs),
          row.health ?? "-",
          printable(row.version),
          printable(row.zone) || "-",
          formatNumber(row.weight),
          printable(row.agentAddress),
          printable(row.peerAddress),
        ]),
        { headers, styleHeader: (line) => style("dim", line) },
      ),
  };
}

function memberDocument({ facts, state, sinceMs, health }: ClusterMember, leaderId: string) {
  const broker = facts?.nodeId ?? "";
  return {
    broker,
    state: enumWord(MemberState, state),
    sinceMs: jsonInteger(sinceMs),
    /** How the asked broker judges it; nothing of itself. */
    health: health === PeerHealth.UNSPECIFIED ? null : enumWord(PeerHealth, health),
    isLeader: broker === leaderId && broker !== "",
    version: facts?.version ?? "",
    zone: facts?.zone ?? "",
    weight: facts?.weight ?? 1,
    agentAddress: facts?.agentAddress ?? "",
    peerAddress: facts?.peerAddress ?? "",
    incarnation: facts?.incarnation ?? "",
  };
}
