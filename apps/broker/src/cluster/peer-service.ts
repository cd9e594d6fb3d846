import { Code, ConnectError, type HandlerContext, type ServiceImpl } from "@connectrpc/connect";
import { ClusterRefusal, type ClusterState, type Member, type MemberFacts } from "@mon/cluster";
import type { PeerService } from "@mon/proto";
import { RaftError } from "@mon/raft";
import type { Fragment, WriteFate } from "@mon/store";
import { fateMessages, fragmentFromMessage } from "./forwarding.ts";
import { certificateKey } from "./peer-door.ts";
import { namesBroker } from "./peer-tls.ts";

/** The trailer that carries the code of a refusal. */
export const refusalTrailer = "mon-cluster-code";

/** What the service works with. */
export interface PeerServiceDeps {
  /** Who this is; undefined while it is in no cluster. */
  readonly self: () =>
    | { readonly nodeId: string; readonly incarnation: string; readonly clusterId: string }
    | undefined;
  readonly state: () => ClusterState;
  /** Whether certificates are asked for. */
  readonly isSecure: boolean;
  readonly now: () => number;
  /** Stores fragments; undefined while there is no room for so many bytes. */
  readonly take: (fragments: readonly Fragment[], bytes: number) => Promise<readonly WriteFate[]> | undefined;
  /** Has a member added, or what it says of itself changed. @throws {ClusterRefusal | RaftError} */
  readonly join: (clusterId: string, member: MemberFacts) => Promise<ClusterState>;
}

/** `mon.v1.PeerService`. */
export function createPeerService(deps: PeerServiceDeps): ServiceImpl<typeof PeerService> {
  const self = () => {
    const known = deps.self();
    if (known === undefined) throw new ConnectError("this broker is in no cluster yet", Code.Unavailable);
    return known;
  };
  const assertCaller = (context: HandlerContext, nodeId: string): void => {
    if (!deps.isSecure || namesBroker(context.values.get(certificateKey)?.subjectAltName, nodeId)) return;
    throw new ConnectError(`expected the certificate of ${nodeId}, got another`, Code.PermissionDenied);
  };
  const assertMember = (nodeId: string): void => {
    if (deps.state().members.has(nodeId)) return;
    throw new ConnectError(`expected a member, got ${nodeId}`, Code.PermissionDenied);
  };
  return {
    async join({ clusterId, member, isStoreShared }, context) {
      if (member === undefined) throw new ConnectError("expected who asks, got nobody", Code.InvalidArgument);
      assertCaller(context, member.nodeId);
      self();
      assertSameStore(deps.state(), isStoreShared);
      const { $typeName: _, $unknown: __, ...facts } = member;
      try {
        const state = await deps.join(clusterId || self().clusterId, facts);
        return { clusterId: state.clusterId, members: [...state.members.values()].filter(isThere) };
      } catch (error) {
        throw connectErrorOf(error);
      }
    },

    ping({ nodeId, clusterId, receiverNodeId }, context) {
      assertCaller(context, nodeId);
      const known = self();
      const { ring } = deps.state();
      if (clusterId !== known.clusterId || receiverNodeId !== known.nodeId) {
        const got = `${receiverNodeId} of ${clusterId}`;
        throw new ConnectError(
          `expected a message for ${known.nodeId} of ${known.clusterId}, got one for ${got}`,
          Code.FailedPrecondition,
        );
      }
      assertMember(nodeId);
      return { incarnation: known.incarnation, timeMs: BigInt(deps.now()), ringEpoch: BigInt(ring.epoch) };
    },

    async forward({ nodeId, hops, fragments: messages }, context) {
      assertCaller(context, nodeId);
      self();
      assertMember(nodeId);
      if (hops !== 1) throw new ConnectError(`expected one hop, got ${hops}`, Code.InvalidArgument);
      const fragments = messages.map(fragmentFromMessage);
      const bytes = fragments.reduce((sum, fragment) => sum + fragment.bytes.length, 0);
      const fates = deps.take(fragments, bytes);
      if (fates === undefined)
        throw new ConnectError("no room for more reports of other brokers", Code.ResourceExhausted);
      return { fates: fateMessages(await fates), ringEpoch: BigInt(deps.state().ring.epoch) };
    },
  };
}

/** One whose store others do not see would hide what it is sent on; one that sees another's would be sent nothing. */
function assertSameStore({ clusterId, scope }: ClusterState, isShared: boolean): void {
  if (clusterId === "") throw new ConnectError("this broker is catching up", Code.Unavailable);
  if (isShared === (scope === "shared")) return;
  const [wanted, got] = isShared
    ? ["a store of its own", "one that is shared"]
    : ["the store that all share", "one of its own"];
  throw new ConnectError(
    `expected a broker with ${wanted}, as the others have, got one with ${got}: see store.kind`,
    Code.FailedPrecondition,
    { [refusalTrailer]: "STORE_MISMATCH" },
  );
}

function isThere({ state }: Member): boolean {
  return state !== "left";
}

function connectErrorOf(error: unknown): ConnectError {
  if (error instanceof ConnectError) return error;
  if (error instanceof ClusterRefusal)
    return new ConnectError(error.message, Code.FailedPrecondition, { [refusalTrailer]: error.code });
  if (error instanceof RaftError) return new ConnectError(error.message, Code.Unavailable);
  // A value that no command takes.
  if (error instanceof RangeError) return new ConnectError(error.message, Code.InvalidArgument);
  throw error;
}
