import { type RingState as ClusterRing, previewRing, type RingPreview, ringOf } from "@mon/cluster";
import type { GetRingResponse, RingState } from "@mon/proto";
import type { Command } from "commander";
import { type Choose, type Context, commonFormats, showOnce } from "../context.ts";
import { MonctlError } from "../errors.ts";
import { examples, gather } from "../help.ts";
import { jsonInteger } from "../json.ts";
import { formatTable } from "../table.ts";
import { printable } from "../text.ts";
import { formatDuration } from "../time.ts";
import { formatNumber, formatValue } from "../units.ts";
import type { View } from "../view.ts";

interface PlanOptions {
  add?: string[];
  remove?: string[];
}

/** Adds `ring show` and `ring plan`. */
export function addRing(program: Command, choose: Choose): void {
  const ring = program
    .command("ring")
    .summary("who has which share of the keys; what a change would move")
    .description("Shows who has which share of the keys, and what a change of the brokers would move.")
    .addHelpText("after", examples("monctl ring", "monctl ring plan --add mon-4 --remove mon-1"));
  ring
    .command("show", { isDefault: true })
    .summary("who has which share of the keys")
    .description(
      "Shows the ring: its members with their shares, and the ring that data is handed over to, if any.",
    )
    .option("--stale", "what the asked broker knows, also without a majority")
    .addHelpText("after", examples("monctl ring show", "monctl ring show --json | jq .epoch"))
    .action((options: { stale?: boolean }) =>
      choose(commonFormats, (context) =>
        showOnce(context, async () => {
          const { admin, call } = await context.broker();
          return ringView(await admin.getRing({ stale: options.stale ?? false }, call));
        }),
      ),
    );
  ring
    .command("plan")
    .summary("what a change of the brokers would move")
    .description("Says which share of the keys would change hands, and from whom to whom. Changes nothing.")
    .option("--add <broker>", "id, or id:weight, or id:weight:zone; repeatable", gather)
    .option("--remove <broker>", "id; repeatable", gather)
    .addHelpText(
      "after",
      examples("monctl ring plan --add mon-4", "monctl ring plan --add mon-4:2:zone-b --remove mon-1"),
    )
    .action((options: PlanOptions) =>
      choose(commonFormats, (context) => showOnce(context, () => fetchPlan(context, options))),
    );
}

function ringView({ ring, pending, undrained, uncopied }: GetRingResponse): View {
  const now = ringDocument(ring);
  const next = pending === undefined ? undefined : ringDocument(pending);
  const waiting = next && { ...next, undrained, uncopied };
  return {
    document: { ...now, pending: waiting ?? null },
    rows: now.members,
    ids: now.members.map(({ broker }) => printable(broker)),
    notes:
      waiting === undefined
        ? []
        : [
            `data is being handed over to epoch ${waiting.epoch}; still to come: ${printable(uncopied.join(", "))}`,
          ],
    table: ({ headers, style }) =>
      `epoch ${now.epoch}, ${now.parameters.replicationFactor} copies wanted, a host moves on every ` +
      `${formatDuration(Number(now.parameters.shardBucketMs))}\n\n` +
      formatTable(
        [
          { title: "BROKER" },
          { title: "SHARE", align: "right" },
          { title: "WEIGHT", align: "right" },
          { title: "ZONE" },
        ],
        now.members.map(({ broker, share, weight, zone }) => [
          printable(broker),
          formatValue(share, "ratio"),
          formatNumber(weight),
          printable(zone) || "-",
        ]),
        { headers, styleHeader: (line) => style("dim", line) },
      ),
  };
}

function ringDocument(ring: RingState | undefined) {
  const {
    vnodes = 0,
    hash = "",
    seed = 0,
    shardBucketMs = 0n,
    replicationFactor = 0,
  } = ring?.parameters ?? {};
  return {
    epoch: jsonInteger(ring?.epoch ?? 0n),
    parameters: { vnodes, hash, seed, shardBucketMs: jsonInteger(shardBucketMs), replicationFactor },
    members: (ring?.members ?? []).map(({ nodeId, share, weight, zone }) => ({
      broker: nodeId,
      share,
      weight,
      zone,
    })),
  };
}

async function fetchPlan(context: Context, { add = [], remove = [] }: PlanOptions): Promise<View> {
  if (add.length + remove.length === 0)
    throw new MonctlError("MONCTL_USAGE", "expected --add or --remove, got neither");
  const { admin, call } = await context.broker();
  const { ring } = await admin.getRing({}, call);
  const before = clusterRing(ring);
  const members = new Map(before.members.map((member) => [member.id, member]));
  for (const id of remove) {
    if (!members.delete(id))
      throw new MonctlError("MONCTL_NOT_FOUND", `expected a member of the ring, got "${id}"`, {
        hint: `members are ${[...members.keys()].join(", ")}`,
      });
  }
  for (const text of add) {
    const [id = "", weight = "1", ...zone] = text.split(":");
    if (!/^[A-Za-z0-9][A-Za-z0-9._-]{0,127}$/.test(id) || !(Number(weight) >= 0.01 && Number(weight) <= 100))
      throw new MonctlError(
        "MONCTL_USAGE",
        `expected --add of id, id:weight or id:weight:zone, got "${text}"`,
      );
    members.set(id, { id, weight: Number(weight), zone: zone.join(":") });
  }
  if (members.size === 0)
    throw new MonctlError("MONCTL_USAGE", "expected a member to remain, got a plan that removes all");
  return planView(previewRing(ringOf(before), ringOf({ ...before, members: [...members.values()] })));
}

/** The ring as the cluster's own code has it. */
function clusterRing(ring: RingState | undefined): ClusterRing {
  const {
    vnodes = 1,
    hash = "",
    seed = 0,
    shardBucketMs = 1n,
    replicationFactor = 1,
  } = ring?.parameters ?? {};
  return {
    epoch: Number(ring?.epoch ?? 0n),
    members: (ring?.members ?? []).map(({ nodeId: id, weight, zone }) => ({ id, weight, zone })),
    parameters: { vnodes, hash, seed, shardBucketMs: Number(shardBucketMs), replicationFactor },
  };
}

function planView({ shares, moved, copies, flows }: RingPreview): View {
  const rows = shares.map(({ nodeId, before, after }) => {
    const flow = flows.find(({ to }) => to === nodeId);
    return { broker: nodeId, before, after, gains: flow?.share ?? 0, from: flow?.from ?? [] };
  });
  return {
    document: { moved, copies, members: rows },
    rows,
    ids: rows.map(({ broker }) => printable(broker)),
    notes: [],
    table: ({ headers, style }) =>
      `${formatValue(moved, "ratio")} of the keys would get another holder\n\n` +
      formatTable(
        [
          { title: "BROKER" },
          ...["SHARE", "AFTER", "GAINS"].map((title) => ({ title, align: "right" as const })),
          { title: "FROM" },
        ],
        rows.map(({ broker, before, after, gains, from }) => [
          printable(broker),
          ...[before, after, gains].map((share) => formatValue(share, "ratio")),
          printable(from.join(", ")) || "-",
        ]),
        { headers, styleHeader: (line) => style("dim", line) },
      ),
  };
}
