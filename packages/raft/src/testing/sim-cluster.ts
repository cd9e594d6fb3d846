import { isMember } from "../conf-state.ts";
import type { NodeId } from "../entry.ts";
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

  /** The machine of a node; of a name that is none, which faults written by hand may have, the first. */
  host(id: NodeId): SimHost {
    return this.#byId.get(id) ?? this.hosts[0]!;
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

  /** The members whose disks are sound. */
  members(): SimHost[] {
    const { conf } = this.#commits;
    return this.hosts.filter((host) => conf !== undefined && isMember(conf, host.id) && !host.wiped);
  }

  /** Whether the nodes whose disks are sound are a quorum, in every membership that one of them follows. */
  hasQuorum(): boolean {
    const sound = this.hosts.filter((host) => host.used && !host.wiped);
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
