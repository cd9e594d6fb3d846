import type { RingParameters } from "@mon/hashring";
import { z } from "zod";
import type { AccessToken, CopyProgress, JoinToken, StoreScope } from "./cluster-state.ts";
import type { MemberFacts } from "./member.ts";

/**
 * The version of commands that this code writes and reads. A broker that is one minor version ahead writes as its older
 * peers do, so that they understand it; see {@link isCompatible}.
 */
export const commandVersion = 1;

interface Commands {
  readonly form: {
    readonly clusterId: string;
    readonly scope: StoreScope;
    readonly member: MemberFacts;
    readonly parameters: RingParameters;
  };
  readonly join: {
    readonly clusterId: string;
    readonly member: MemberFacts;
    readonly joinTokenId?: string | undefined;
  };
  readonly update: { readonly member: MemberFacts };
  readonly activate: OfNode;
  readonly leave: OfNode;
  readonly return: OfNode;
  readonly markDown: OfNode;
  readonly markUp: OfNode & { readonly incarnation: string };
  readonly remove: OfNode;
  readonly setParameters: { readonly parameters: RingParameters };
  readonly drained: OfEpoch & OfNode;
  readonly copied: OfEpoch & OfNode & CopyProgress;
  readonly abort: OfEpoch & { readonly reason: string };
  readonly cleared: OfEpoch & OfNode;
  readonly addJoinToken: { readonly id: string } & JoinToken;
  readonly addToken: { readonly id: string } & AccessToken;
  readonly revokeToken: { readonly id: string };
}

interface OfNode {
  readonly nodeId: string;
}

interface OfEpoch {
  readonly epoch: number;
}

/**
 * A change of what brokers agree on. `atMs` is the proposer's clock.
 *
 * - `form` makes a cluster of one; `join` adds a member without a share; `update` changes what a member says of itself.
 * - `activate` gives a share, `leave` takes it; in local scope by a hand-over, see {@link RingChange}. `return` calls a
 *   `leave` off that has not begun. `markDown` and `markUp` say what the failure detector found. `remove` forgets a member
 *   that has no share, or one that is down and will not come back.
 * - `drained`, `copied` and `abort` move a hand-over on; `cleared` says that a member has deleted what it handed over.
 * - `setParameters` changes those of the ring.
 */
export type ClusterCommand = {
  readonly [Kind in keyof Commands]: { readonly kind: Kind; readonly atMs: number } & Commands[Kind];
}[keyof Commands];

/** What of a command is for one kind. */
export type CommandOf<Kind extends ClusterCommand["kind"]> = Extract<ClusterCommand, { kind: Kind }>;

const nodeId = z.string().regex(/^[A-Za-z0-9][A-Za-z0-9._-]{0,127}$/);
const instant = z.number().int();

const member = z.object({
  nodeId,
  agentAddress: z.string().max(300),
  peerAddress: z.string().max(300),
  zone: z.string().max(128),
  weight: z.number().min(0.01).max(100),
  version: z.string().regex(/^\d{1,6}\.\d{1,6}\.\d{1,6}/),
  incarnation: z.string().min(1).max(64),
});

const parameters = z.object({
  vnodes: z.number().int().min(1).max(10_000),
  hash: z.string().min(1).max(64),
  seed: z.number().int().min(0).max(0xffff_ffff),
  shardBucketMs: z.number().int().min(1),
  replicationFactor: z.number().int().min(1).max(255),
});

const role = z.enum(["agent", "reader", "admin", "metrics"]);
const hex = (bytes: number) => z.string().regex(new RegExp(`^[0-9a-f]{${2 * bytes}}$`));
const epoch = z.number().int().min(1);
const count = z.number().int().min(0);

function command<Kind extends string, Shape extends z.ZodRawShape>(kind: Kind, shape: Shape) {
  return z.object({ kind: z.literal(kind), atMs: instant, ...shape });
}

const commandSchema: z.ZodType<ClusterCommand> = z.discriminatedUnion("kind", [
  command("form", {
    clusterId: z.string().min(1).max(64),
    scope: z.enum(["shared", "local"]),
    member,
    parameters,
  }),
  command("join", { clusterId: z.string(), member, joinTokenId: hex(8).optional() }),
  command("update", { member }),
  command("activate", { nodeId }),
  command("leave", { nodeId }),
  command("return", { nodeId }),
  command("markDown", { nodeId }),
  command("markUp", { nodeId, incarnation: z.string() }),
  command("remove", { nodeId }),
  command("setParameters", { parameters }),
  command("drained", { epoch, nodeId }),
  command("copied", { epoch, nodeId, partitions: count, bytes: count }),
  command("abort", { epoch, reason: z.string().max(1_000) }),
  command("cleared", { epoch, nodeId }),
  command("addJoinToken", { id: hex(8), secretHash: hex(32), expiresAtMs: instant }),
  command("addToken", {
    id: hex(8),
    secretHash: hex(32),
    role,
    hostPattern: z.string().max(128),
    expiresAtMs: instant.optional(),
  }),
  command("revokeToken", { id: hex(8) }),
]);

const envelopeSchema = z.object({ version: z.number().int().min(1), command: z.unknown() });

/** The bytes of a command: JSON. @throws {RangeError} naming the field that is not what it may be */
export function encodeCommand(command: ClusterCommand): Uint8Array {
  const checked = commandSchema.safeParse(command);
  if (!checked.success) throw new RangeError(`expected a command, got ${issueOf(checked.error)}`);
  return Buffer.from(JSON.stringify({ version: commandVersion, command: checked.data }));
}

/** What the bytes of an entry say. */
export type DecodedCommand =
  | { readonly is: "command"; readonly command: ClusterCommand }
  /** A newer broker wrote it. Passing over it would make this member differ from the others. */
  | { readonly is: "newer"; readonly version: number }
  /** Nobody could have meant it; all members pass over it alike. */
  | { readonly is: "malformed"; readonly reason: string };

/** Reads the bytes of an entry. Never throws. */
export function decodeCommand(bytes: Uint8Array): DecodedCommand {
  let json: unknown;
  try {
    json = JSON.parse(Buffer.from(bytes).toString());
  } catch (error) {
    return { is: "malformed", reason: String(error) };
  }
  const envelope = envelopeSchema.safeParse(json);
  if (!envelope.success) return { is: "malformed", reason: issueOf(envelope.error) };
  const { version, command } = envelope.data;
  if (version > commandVersion) return { is: "newer", version };
  const checked = commandSchema.safeParse(command);
  return checked.success
    ? { is: "command", command: checked.data }
    : { is: "malformed", reason: issueOf(checked.error) };
}

function issueOf(error: z.ZodError): string {
  const [issue] = error.issues;
  return issue === undefined ? "no reason" : `${issue.path.join(".")}: ${issue.message}`;
}

/** Whether brokers of two versions may be in one cluster: their major versions are the same, their minor ones neighbours. */
export function isCompatible(a: string, b: string): boolean {
  const [majorA, minorA] = a.split(".").map(Number);
  const [majorB, minorB] = b.split(".").map(Number);
  return majorA === majorB && Math.abs(minorA! - minorB!) <= 1;
}
