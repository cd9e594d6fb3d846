import {
  type ClusterCommand,
  type ClusterOutcome,
  ClusterRefusal,
  type ClusterState,
  nextDuty,
  planVoters,
} from "@mon/cluster";
import { type CallOptions, isJoint, RaftError, type RaftNode, type Status, sameConf } from "@mon/raft";
import type { Logger } from "../logger.ts";
import type { Heartbeats } from "./heartbeats.ts";

/** What it works with. */
export interface StewardDeps {
  readonly nodeId: string;
  /** The member of Raft; undefined while its log cannot be used. */
  readonly raft: () => RaftNode<ClusterOutcome> | undefined;
  readonly state: () => ClusterState;
  readonly heartbeats: Heartbeats;
  /** See `DutySituation.mayActivate`. */
  readonly mayActivate: boolean;
  readonly propose: (command: ClusterCommand, options: CallOptions) => Promise<unknown>;
  readonly logger: Logger;
}

/** Entries that a learner may be behind and still count as caught up. */
const lagMax = 1_024;

/** How long one thing may take, in milliseconds; what it began may still happen, and the next look finds out. */
const patienceMs = 3_000;

/** Looks after the members while this broker leads: who is down, who is back, who gets a share, who votes. */
export class Steward {
  readonly #deps: StewardDeps;
  #working: Promise<void> | undefined;

  constructor(deps: StewardDeps) {
    this.#deps = deps;
  }

  /** Does what is to be done next, if anything; one thing at a time. To be called every heartbeat. */
  look(): void {
    if (this.#working !== undefined) return;
    const node = this.#deps.raft();
    const status = node?.status();
    // Whoever stood still may be the one that the others miss (R11).
    if (node === undefined || status?.role !== "leader" || this.#deps.heartbeats.isDoubtful) return;
    this.#working = this.#work(node, status).finally(() => {
      this.#working = undefined;
    });
  }

  /** Resolves when nothing is under way. */
  async idle(): Promise<void> {
    await this.#working;
  }

  async #work(node: RaftNode<ClusterOutcome>, status: Status): Promise<void> {
    const { logger } = this.#deps;
    const signal = AbortSignal.timeout(patienceMs);
    try {
      await this.#do(node, status, { signal });
    } catch (error) {
      // The next look finds what is left to do, or another leads.
      const isExpected = error instanceof RaftError || error instanceof ClusterRefusal || signal.aborted;
      if (!isExpected) throw error;
      logger.debug({ err: error }, "could not look after the members");
    }
  }

  async #do(node: RaftNode<ClusterOutcome>, status: Status, options: CallOptions): Promise<void> {
    const { nodeId, heartbeats, logger, mayActivate, propose, state: stateNow } = this.#deps;
    const state = stateNow();
    if (state.clusterId === "") return;
    const caughtUp = new Set(
      status.progress
        .filter(({ state: way, match }) => way === "replicate" && match + lagMax >= status.last.index)
        .map(({ id }) => id),
    );
    const duty = nextDuty({
      state,
      leaderId: nodeId,
      healthOf: (id) => heartbeats.healthOf(id),
      answeringAs: (id) => heartbeats.answerOf(id)?.incarnation,
      caughtUp,
      mayActivate,
      nowMs: Date.now(),
    });
    if (duty !== undefined) {
      logger.info(duty, "changing a member");
      await propose(duty, options);
      return;
    }
    const { conf, committedConf, transferTarget } = status;
    if (isJoint(conf) || !sameConf(conf, committedConf) || transferTarget !== undefined) return;
    const own = state.members.get(nodeId);
    if ((own === undefined || own.state === "left") && conf.voters.length > 1) {
      logger.info("handing leadership over: this broker has left");
      await node.transferLeadership(undefined, options);
      return;
    }
    const members = [...state.members.values()];
    const plan = planVoters({
      members,
      voters: conf.voters,
      learners: conf.learners,
      leaderId: nodeId,
      live: new Set([
        nodeId,
        ...members.map((member) => member.nodeId).filter((id) => heartbeats.answerOf(id)),
      ]),
      silentSinceMs: heartbeats.silentSinceMs,
      caughtUp,
      nowMs: performance.now(),
    });
    if (plan === undefined) return;
    logger.info(plan, "changing who votes");
    await node.changeMembership(
      plan.steps.map(({ kind, nodeId: id }) => ({ kind, id })),
      options,
    );
  }
}
