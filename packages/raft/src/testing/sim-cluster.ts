import { isMember } from "../conf-state.ts";
import type { NodeId } from "../entry.ts";
import { LEADER } from "./fault.ts";
import type { CommitBook } from "./referee/commit-book.ts";
import type { SimHost } from "./sim-host.ts";

/** The machines of a simulation, and what can be said of them together. */
export class SimCluster {
  readonly hosts: readonly SimHost[];
  readonly #byId: ReadonlyMap<NodeId, SimHost>;
  readonly #commits: CommitBook;

  constructor(hosts: readonly SimHost[], commits: CommitBook) {
    this.hosts = hosts;
    this.#byId = new Map(hosts.map((host) => [host.id, host]));
    this.#commits = commits;
  }

  /** The machine of a node. */
  host(id: NodeId): SimHost | undefined {
    return this.#byId.get(id);
  }

  /**
   * The machine that a fault is for. Where there is none, because nobody leads or a fault written by hand names
   * nobody, the first.
   */
  target(id: NodeId): SimHost {
    return (id === LEADER ? this.leader() : this.#byId.get(id)) ?? this.hosts[0]!;
  }

  /** Who leads the latest term, if anybody does. */
  leader(): SimHost | undefined {
    let best: { host: SimHost; term: number } | undefined;
    for (const host of this.hosts) {
      const status = host.node?.status();
      if (status?.role === "leader" && status.term > (best?.term ?? 0)) {
        best = { host, term: status.term };
      }
    }
    return best?.host;
  }

  /**
   * The members whose disks are sound, whom nobody takes for another, and who do not take the leader for another: one
   * that missed that the leader was removed and came back with a new disk does not hear it.
   */
  hearersOf(leader: SimHost): SimHost[] {
    const { conf } = this.#commits;
    return this.hosts.filter((host) => {
      const met = host.met(leader.id);
      const hears = host === leader || met === undefined || met === leader.incarnation;
      return conf !== undefined && isMember(conf, host.id) && hears && this.#isSound(host);
    });
  }

  /** Whether every other machine that was ever used has met this one, in its present incarnation. */
  isMet(host: SimHost): boolean {
    return this.hosts.every(
      (other) => other === host || !other.used || other.met(host.id) === host.incarnation,
    );
  }

  /**
   * Whether a node's disk was never lost, or nobody remembers the one before: it is refused by those who do, and
   * those who missed that it was removed remember it for longer.
   */
  #isSound(host: SimHost): boolean {
    return (
      !host.wiped &&
      this.hosts.every((other) => {
        const met = other.met(host.id);
        return met === undefined || met === host.incarnation;
      })
    );
  }

  /** Whether the nodes whose disks are sound are a quorum, in every membership that one of them follows. */
  hasQuorum(): boolean {
    const sound = this.hosts.filter((host) => host.used && this.#isSound(host));
    const confs = sound.flatMap((host) => host.node?.status().conf ?? []);
    const { conf: committed } = this.#commits;
    return [...confs, ...(committed === undefined ? [] : [committed])].every(({ voters, votersOutgoing }) =>
      [voters, votersOutgoing].every(
        (half) => half.length === 0 || sound.filter(({ id }) => half.includes(id)).length > half.length / 2,
      ),
    );
  }

  /** A node that was removed after its disk was lost may come back as another. */
  forgiveWiped(): void {
    const { conf } = this.#commits;
    for (const host of this.hosts) {
      if (host.wiped && conf !== undefined && !isMember(conf, host.id)) {
        host.wiped = false;
      }
    }
  }
}
