import { Code, ConnectError, type ServiceImpl } from "@connectrpc/connect";
import {
  ClusterRefusal,
  type ClusterState,
  type Member,
  type RingState,
  ringOf,
  type MemberState as State,
} from "@mon/cluster";
import { type AdminService, MemberState, PeerHealth } from "@mon/proto";
import { RaftError } from "@mon/raft";
import type { ClusterNode } from "../cluster/cluster-node.ts";

/** The methods of `mon.v1.AdminService` that are about the cluster. */
type ClusterService = Pick<
  ServiceImpl<typeof AdminService>,
  "listMembers" | "getRing" | "getRaftStatus" | "leave" | "remove" | "transferLeadership"
>;

const memberStates: Readonly<Record<State, MemberState>> = {
  joining: MemberState.JOINING,
  active: MemberState.ACTIVE,
  leaving: MemberState.LEAVING,
  left: MemberState.LEFT,
  down: MemberState.DOWN,
};

const healths = { alive: PeerHealth.ALIVE, suspect: PeerHealth.SUSPECT, down: PeerHealth.DOWN } as const;

/** @param cluster - undefined for a broker that is alone, which refuses all of it */
export function createClusterService(cluster: ClusterNode | undefined): ClusterService {
  const member = (): ClusterNode => {
    if (cluster !== undefined) return cluster;
    throw new ConnectError(
      "expected a broker of a cluster, got one that is alone: start it with --bootstrap or --join",
      Code.FailedPrecondition,
    );
  };
  const stateFor = (stale: boolean): Promise<ClusterState> =>
    answered(async () => (stale ? member().state : await member().read()));
  return {
    async listMembers({ stale }) {
      const { clusterId, members, scope } = await stateFor(stale);
      return {
        clusterId,
        members: [...members.values()]
          .sort((a, b) => (a.nodeId < b.nodeId ? -1 : 1))
          .map((each) => memberMessage(each, member())),
        leaderId: member().raftStatus()?.leaderId ?? "",
        isStoreShared: scope === "shared",
      };
    },

    async getRing({ stale }) {
      const { ring, change } = await stateFor(stale);
      return {
        ring: ringMessage(ring),
        ...(change !== undefined && {
          pending: ringMessage(change.ring),
          undrained: [...change.undrained],
          uncopied: [...change.uncopied],
        }),
      };
    },

    getRaftStatus() {
      const status = member().raftStatus();
      const about = { nodeId: member().nodeId, stateHash: member().stateHash() };
      if (status === undefined) return about;
      const { role, term, leaderId = "", last, committed, applied, conf, progress } = status;
      return {
        ...about,
        role,
        term: BigInt(term),
        leaderId,
        lastIndex: BigInt(last.index),
        committed: BigInt(committed),
        applied: BigInt(applied),
        voters: [...conf.voters],
        learners: [...conf.learners],
        followers: progress
          .filter(({ id }) => id !== status.id)
          .map(({ id, match, state, recentlyActive }) => ({
            nodeId: id,
            match: BigInt(match),
            state,
            isActive: recentlyActive,
          })),
      };
    },

    async leave({ nodeId }) {
      const { members } = await answered(() => member().propose({ kind: "leave", nodeId, atMs: Date.now() }));
      return { state: memberStates[members.get(nodeId)?.state ?? "left"] };
    },

    async remove({ nodeId }) {
      await answered(() => member().propose({ kind: "remove", nodeId, atMs: Date.now() }));
      return {};
    },

    async transferLeadership({ nodeId }) {
      await answered(() => member().transferLeadership(nodeId));
      return {};
    },
  };
}

function memberMessage({ state, sinceMs, ...facts }: Member, cluster: ClusterNode) {
  const health = cluster.healthOf(facts.nodeId);
  return {
    facts,
    state: memberStates[state],
    sinceMs: BigInt(sinceMs),
    ...(health !== undefined && { health: healths[health] }),
  };
}

function ringMessage(ring: RingState) {
  const { epoch, members, parameters } = ring;
  const shares = members.length === 0 ? new Map<string, number>() : ringOf(ring).shares();
  return {
    epoch: BigInt(epoch),
    members: members.map(({ id, weight, zone }) => ({
      nodeId: id,
      weight,
      zone,
      share: shares.get(id) ?? 0,
    })),
    parameters: { ...parameters, shardBucketMs: BigInt(parameters.shardBucketMs) },
  };
}

/** Refusals that asking somebody else, or later, does not change. */
const conflicts: ReadonlySet<string> = new Set(["RAFT_TRANSFER_REFUSED", "RAFT_CHANGE_REFUSED"]);

async function answered<Answer>(ask: () => Promise<Answer>): Promise<Answer> {
  try {
    return await ask();
  } catch (error) {
    if (error instanceof ClusterRefusal) {
      const code = error.code === "CLUSTER_UNKNOWN_MEMBER" ? Code.NotFound : Code.Aborted;
      throw new ConnectError(error.message, code);
    }
    if (error instanceof RaftError) {
      const code = conflicts.has(error.code) ? Code.Aborted : Code.FailedPrecondition;
      throw new ConnectError(`${error.code}: ${error.message}`, code);
    }
    if (error instanceof RangeError) throw new ConnectError(error.message, Code.InvalidArgument);
    throw error;
  }
}
