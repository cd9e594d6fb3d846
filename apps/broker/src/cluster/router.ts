import { Code, ConnectError } from "@connectrpc/connect";
import { type ClusterState, type PeerHealth, type RingState, ringOf } from "@mon/cluster";
import type { HashRing } from "@mon/hashring";
import type { IntakeRoutes } from "@mon/intake";
import type { Fragment, MetricStore, WriteFate } from "@mon/store";

/** What a router needs of its cluster. */
export interface RoutedCluster {
  readonly nodeId: string;
  readonly state: ClusterState;
  healthOf(nodeId: string): PeerHealth | undefined;
  /** Has another broker store fragments. @throws {ConnectError} when it is not known that it did */
  forward(nodeId: string, fragments: readonly Fragment[]): Promise<readonly WriteFate[]>;
}

/** What a router works with. */
export interface RouterDeps {
  readonly cluster: RoutedCluster;
  readonly store: Pick<MetricStore, "write">;
  /** Told when another ring is in force: what was seen before may be another's now (R9). */
  readonly ringChanged: () => void;
}

/** When to send again what another broker had no room for, in milliseconds. */
const retryDelayMs = 1_000;

/**
 * Says which broker stores a report, where all see one store: the owner of its bucket, or, while that does not answer, the
 * next of its preference list. Writes are blind (R27), so it does no harm when two brokers think themselves the owner; and when
 * the owner does not answer in time, this broker stores the report in its place.
 */
export class Router implements IntakeRoutes {
  readonly #deps: RouterDeps;
  #ringState: RingState | undefined;
  #ring: HashRing | undefined;
  /** Fragments that others have stored, and that this broker stored because an owner did not answer. */
  readonly counters: { forwarded: number; stoodIn: number } = { forwarded: 0, stoodIn: 0 };

  constructor(deps: RouterDeps) {
    this.#deps = deps;
  }

  /** O(1) while the owner answers, O(members) otherwise. */
  laneOf({ hostId, timestampMs }: Fragment): string {
    const { nodeId, state } = this.#deps.cluster;
    const ring = this.#ringFor(state);
    const owner = ring?.ownerOf(hostId, timestampMs);
    if (ring === undefined || owner === undefined || owner === nodeId) return "";
    if (this.#answers(owner, state)) return owner;
    const next = ring
      .ownersOf(hostId, timestampMs, ring.size)
      .find((id) => id === nodeId || this.#answers(id, state));
    return next === undefined || next === nodeId ? "" : next;
  }

  async write(lane: string, fragments: readonly Fragment[]): Promise<readonly WriteFate[]> {
    const { cluster, store } = this.#deps;
    try {
      const fates = await cluster.forward(lane, fragments);
      this.counters.forwarded += fragments.length;
      return fates;
    } catch (error) {
      const { code, rawMessage } = ConnectError.from(error);
      if (code === Code.ResourceExhausted)
        return fragments.map(() => ({ status: "retry", reason: `${lane}: ${rawMessage}`, retryDelayMs }));
      this.counters.stoodIn += fragments.length;
      return await store.write(fragments);
    }
  }

  #answers(nodeId: string, { members }: ClusterState): boolean {
    return this.#deps.cluster.healthOf(nodeId) === "alive" && members.get(nodeId)?.state === "active";
  }

  /** Undefined where brokers have stores of their own, and before there is a ring. */
  #ringFor({ scope, ring }: ClusterState): HashRing | undefined {
    if (ring !== this.#ringState) {
      const isFirst = this.#ringState === undefined;
      this.#ringState = ring;
      this.#ring = scope === "shared" && ring.members.length > 0 ? ringOf(ring) : undefined;
      if (!isFirst) this.#deps.ringChanged();
    }
    return this.#ring;
  }
}
