import { setTimeout as delay } from "node:timers/promises";
import type { GetRaftStatusResponse, ListMembersResponse } from "@mon/proto";
import { MemberState } from "@mon/proto";
import type { Command } from "commander";
import { type Choose, type Context, commonFormats, showOnce, showRepeatedly } from "../context.ts";
import { MonctlError } from "../errors.ts";
import { examples, watchOption } from "../help.ts";
import { jsonInteger } from "../json.ts";
import { formatTable } from "../table.ts";
import { printable } from "../text.ts";
import type { View } from "../view.ts";

/** How often members are compared again while they have not applied the same entries, and how long after. */
const attemptsMax = 10;
const attemptDelayMs = 300;

/** Adds `raft status`, `raft transfer` and `raft verify`. */
export function addRaft(program: Command, choose: Choose): void {
  const raft = program
    .command("raft")
    .summary("how the cluster agrees: who leads, who votes, who lags")
    .description(
      "Shows how the brokers agree on the cluster, moves the leadership, and compares their states.",
    )
    .addHelpText("after", examples("monctl raft", "monctl raft transfer mon-2", "monctl raft verify"));
  raft
    .command("status", { isDefault: true })
    .summary("who leads, who votes, who lags")
    .description("Asks every broker of the cluster how it takes part: role, term, and how far its log is.")
    .addOption(watchOption())
    .addHelpText("after", examples("monctl raft status", "monctl raft status --watch"))
    .action((options: { watch?: string }) =>
      choose(commonFormats, (context) => {
        const fetch = async (): Promise<View> => raftView(await askAll(context));
        return options.watch === undefined
          ? showOnce(context, fetch)
          : showRepeatedly(context, options.watch, fetch);
      }),
    );
  raft
    .command("transfer")
    .summary("move the leadership to another broker")
    .description("Hands the leadership over to another voter, and ends when that leads.")
    .argument("<broker>", "its id")
    .addHelpText("after", examples("monctl raft transfer mon-2"))
    .action((nodeId: string) =>
      choose(commonFormats, (context) =>
        showOnce(context, async () => {
          const { admin, call } = await context.broker();
          await admin.transferLeadership({ nodeId }, call);
          return {
            document: { leader: nodeId },
            rows: [{ leader: nodeId }],
            ids: [printable(nodeId)],
            notes: [],
            table: () => `${printable(nodeId)} leads\n`,
          };
        }),
      ),
    );
  raft
    .command("verify")
    .summary("compare the states of all brokers")
    .description(
      "Compares fingerprints of the cluster's state on all brokers that have applied the same entries. Exits 1 when they " +
        "differ, 5 when one could not be asked, 7 when they did not get to the same entry in time.",
    )
    .addHelpText("after", examples("monctl raft verify"))
    .action(() => choose(commonFormats, verify));
}

/** What a member said of Raft, or why it did not. */
interface Asked {
  readonly broker: string;
  readonly status: GetRaftStatusResponse | undefined;
  readonly failure: string | undefined;
}

/** Asks every member that has not left. */
async function askAll(context: Context): Promise<Asked[]> {
  const { admin, call } = await context.broker();
  const { members } = await admin.listMembers({ stale: true }, call);
  return await Promise.all(
    members.filter(({ state }) => state !== MemberState.LEFT).map((member) => ask(context, member)),
  );
}

async function ask(context: Context, { facts }: ListMembersResponse["members"][number]): Promise<Asked> {
  const broker = facts?.nodeId ?? "";
  try {
    const opened = await context.brokerAt(facts?.agentAddress ?? "");
    try {
      return { broker, status: await opened.admin.getRaftStatus({}, opened.call), failure: undefined };
    } finally {
      opened.close();
    }
  } catch (reason) {
    // Whoever does not answer is a part of the answer.
    return { broker, status: undefined, failure: MonctlError.from(reason).message };
  }
}

async function verify(context: Context): Promise<number> {
  let differed = "";
  for (let attempt = 1; ; attempt++) {
    const asked = await askAll(context);
    const different = differenceOf(asked) ?? "";
    const isLast = attempt === attemptsMax;
    // One that is there twice in a row is none of an entry that was just being applied.
    if (different !== "" && (different === differed || isLast)) {
      throw new MonctlError("MONCTL_FAILURE", `expected equal states, got different ones of ${different}`, {
        hint: "the leader rebuilds brokers that differ; see their logs",
      });
    }
    const positions = new Set(asked.flatMap(({ status }) => status?.applied ?? []));
    if (different === "" && positions.size <= 1) {
      assertAllAnswered(asked);
      return await showOnce(context, async () => raftView(asked));
    }
    if (isLast) {
      throw new MonctlError(
        "MONCTL_TIMEOUT",
        "expected all brokers to have applied the same entries, they have not",
      );
    }
    differed = different;
    await delay(attemptDelayMs, undefined, { signal: context.stop });
  }
}

function assertAllAnswered(asked: readonly Asked[]): void {
  const silent = asked.filter(({ status }) => status === undefined);
  if (silent.length === 0) return;
  const names = silent.map(({ broker, failure }) => `${broker} (${failure})`).join(", ");
  throw new MonctlError("MONCTL_UNREACHABLE", `expected answers of all brokers, got none of ${names}`);
}

/** Who has another state after the same entries, if anybody. */
function differenceOf(asked: readonly Asked[]): string | undefined {
  const byPosition = new Map<bigint, { broker: string; hash: string }>();
  for (const { broker, status } of asked) {
    if (status === undefined) continue;
    const { applied, stateHash: hash } = status;
    const other = byPosition.get(applied);
    if (other !== undefined && other.hash !== hash)
      return `${other.broker} and ${broker} at entry ${applied}`;
    byPosition.set(applied, { broker, hash });
  }
  return undefined;
}

function raftView(asked: readonly Asked[]): View {
  const committed = asked.reduce((most, { status }) => {
    const index = status?.committed ?? 0n;
    return index > most ? index : most;
  }, 0n);
  const rows = asked.map(({ broker, status, failure }) => ({
    broker,
    role: status?.role ?? null,
    votes: status === undefined ? null : status.voters.includes(broker),
    term: status === undefined ? null : jsonInteger(status.term),
    leader: status?.leaderId || null,
    lastIndex: status === undefined ? null : jsonInteger(status.lastIndex),
    committed: status === undefined ? null : jsonInteger(status.committed),
    applied: status === undefined ? null : jsonInteger(status.applied),
    lag:
      status === undefined ? null : jsonInteger(committed > status.applied ? committed - status.applied : 0n),
    stateHash: status?.stateHash ?? null,
    failure: failure ?? null,
  }));
  const leader = rows.find(({ role }) => role === "leader");
  const shown = (value: unknown): string => (value === null ? "-" : printable(String(value)));
  return {
    document: { leader: leader?.broker ?? null, members: rows },
    rows,
    ids: rows.map(({ broker }) => printable(broker)),
    notes: rows.flatMap(({ broker, failure }) =>
      failure === null ? [] : [`${printable(broker)}: ${printable(failure)}`],
    ),
    table: ({ headers, style }) =>
      formatTable(
        [
          ...["BROKER", "ROLE", "VOTES"].map((title) => ({ title })),
          ...["TERM", "LAST", "COMMITTED", "APPLIED", "LAG"].map((title) => ({
            title,
            align: "right" as const,
          })),
          { title: "STATE" },
        ],
        rows.map((row) => [
          printable(row.broker),
          shown(row.role),
          row.votes === null ? "-" : row.votes ? "yes" : "no",
          ...[row.term, row.lastIndex, row.committed, row.applied, row.lag, row.stateHash].map(shown),
        ]),
        { headers, styleHeader: (line) => style("dim", line) },
      ),
  };
}
