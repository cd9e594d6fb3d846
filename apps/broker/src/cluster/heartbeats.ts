import {
  type ClusterState,
  defaultFailureDetectorOptions,
  FailureDetector,
  type HealthChange,
  type PeerHealth,
} from "@mon/cluster";
import type { PeerClients } from "./peer-clients.ts";

/** What a member said when it last answered. */
export interface PeerAnswer {
  readonly incarnation: string;
  /** By the monotonic clock. */
  readonly atMs: number;
}

/** What heartbeats work with. */
export interface HeartbeatsDeps {
  readonly nodeId: string;
  readonly clusterId: string;
  readonly clients: PeerClients;
  /** The epoch that this broker works by. */
  readonly epoch: () => number;
  /** A clock that only goes forward, and the wall's; milliseconds. */
  readonly monotonicNow: () => number;
  readonly wallNow: () => number;
}

/** How long an answer may take, in milliseconds: as long as makes a peer suspect. */
const timeoutMs = defaultFailureDetectorOptions.heartbeatMs * defaultFailureDetectorOptions.missedMax;

/**
 * Asks every other member twice a second whether it is there, and judges them by their answers: a member that can be
 * heard but not reached is not there.
 */
export class Heartbeats {
  readonly #deps: HeartbeatsDeps;
  readonly #detector: FailureDetector;
  readonly #answers = new Map<string, PeerAnswer>();
  readonly #silentSinceMs = new Map<string, number>();
  /** Members whose answer is awaited, and since when. */
  readonly #asked = new Map<string, number>();
  #addresses = new Map<string, string>();

  constructor(deps: HeartbeatsDeps) {
    this.#deps = deps;
    this.#detector = new FailureDetector(deps.monotonicNow());
  }

  /** Members that do not answer, and since when; by the monotonic clock. */
  get silentSinceMs(): ReadonlyMap<string, number> {
    return this.#silentSinceMs;
  }

  /** Whether this process stood still, and nobody has confirmed yet that the others still count on it. */
  get isDoubtful(): boolean {
    return this.#detector.isDoubtful;
  }

  /** This clock against the median of the peers', when it is too far from it. */
  get skewMs(): number | undefined {
    return this.#detector.isClockOff ? -this.#detector.skewMs! : undefined;
  }

  /** How a member is judged; undefined for this one, and for strangers. */
  healthOf(nodeId: string): PeerHealth | undefined {
    return this.#detector.healthOf(nodeId);
  }

  /** What a member that is alive said last, within the time that makes it suspect; undefined for others. */
  answerOf(nodeId: string): PeerAnswer | undefined {
    const answer = this.#answers.get(nodeId);
    const isFresh = answer !== undefined && this.#deps.monotonicNow() - answer.atMs <= timeoutMs;
    return isFresh && this.#detector.healthOf(nodeId) === "alive" ? answer : undefined;
  }

  /** Takes notice of who is a member now. */
  follow({ members }: ClusterState): void {
    const { nodeId: self, monotonicNow, clients } = this.#deps;
    this.#addresses = new Map(
      [...members.values()]
        .filter(({ nodeId, state }) => nodeId !== self && state !== "left")
        .map(({ nodeId, peerAddress }) => [nodeId, peerAddress]),
    );
    this.#detector.setPeers(this.#addresses.keys(), monotonicNow());
    clients.retain(new Set(this.#addresses.keys()));
    for (const known of [this.#answers, this.#silentSinceMs]) {
      for (const nodeId of known.keys()) if (!this.#addresses.has(nodeId)) known.delete(nodeId);
    }
  }

  /** Asks everybody, and judges. To be called every heartbeat. @returns what has changed */
  beat(): HealthChange[] {
    const nowMs = this.#deps.monotonicNow();
    for (const [nodeId, address] of this.#addresses) void this.#ask(nodeId, address);
    const changes = this.#detector.judge(nowMs);
    for (const { nodeId, to, silentMs } of changes) {
      if (to === "alive") this.#silentSinceMs.delete(nodeId);
      else if (!this.#silentSinceMs.has(nodeId)) this.#silentSinceMs.set(nodeId, nowMs - silentMs);
    }
    return changes;
  }

  async #ask(nodeId: string, address: string): Promise<void> {
    const { clients, clusterId, nodeId: self, monotonicNow, wallNow, epoch } = this.#deps;
    const sinceMs = monotonicNow();
    // One that is under way for longer than it may take is not waited for.
    if (sinceMs - (this.#asked.get(nodeId) ?? Number.NEGATIVE_INFINITY) < 2 * timeoutMs) return;
    this.#asked.set(nodeId, sinceMs);
    try {
      const askedMs = wallNow();
      const answer = await clients
        .of(nodeId, address)
        .ping({ nodeId: self, clusterId, receiverNodeId: nodeId }, { timeoutMs });
      const skewMs = Number(answer.timeMs) - (askedMs + wallNow()) / 2;
      const atMs = monotonicNow();
      this.#detector.heard(nodeId, atMs, skewMs);
      this.#answers.set(nodeId, { incarnation: answer.incarnation, atMs });
      if (epoch() >= Number(answer.ringEpoch)) this.#detector.confirmed();
    } catch {
      // Silence is what the detector judges, whatever its cause.
    } finally {
      if (this.#asked.get(nodeId) === sinceMs) this.#asked.delete(nodeId);
    }
  }
}
