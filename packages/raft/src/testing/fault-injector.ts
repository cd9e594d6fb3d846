import type { ConfChangeStep } from "../conf-change.ts";
import type { NodeId } from "../entry.ts";
import { cutLinks, type Fault, LEADER } from "./fault.ts";
import type { SimCluster } from "./sim-cluster.ts";
import type { SimHost } from "./sim-host.ts";
import type { SimNetwork } from "./sim-network.ts";
import type { VirtualLoop } from "./virtual-loop.ts";

/** Does faults to a cluster, and ends each in its time. */
export class FaultInjector {
  readonly #loop: VirtualLoop;
  readonly #network: SimNetwork;
  readonly #cluster: SimCluster;
  #stopped = false;

  constructor(loop: VirtualLoop, network: SimNetwork, cluster: SimCluster) {
    this.#loop = loop;
    this.#network = network;
    this.#cluster = cluster;
  }

  /** Does no more. What is under way is for the caller to undo. */
  stop(): void {
    this.#stopped = true;
  }

  /** @returns whether anything was done */
  inject(fault: Fault): boolean {
    if (this.#stopped) {
      return false;
    }
    switch (fault.kind) {
      case "crash":
        this.#crash(this.#cluster.target(fault.node), fault.forMs);
        return true;
      case "stop":
        this.#stop(this.#cluster.target(fault.node), fault.forMs);
        return true;
      case "pause": {
        const { process } = this.#cluster.target(fault.node);
        process?.pause();
        this.#loop.schedule(fault.forMs, () => process?.resume());
        return true;
      }
      case "wipe":
        return this.#wipe(this.#cluster.target(fault.node), fault.forMs);
      case "replace": {
        const { forMs, node: id, wiped } = fault;
        const done = !wiped || this.#wipe(this.#cluster.target(id), forMs / 4);
        if (done) {
          this.#insist({ kind: "remove", id }, CHANGE_ATTEMPTS, () => {
            this.#loop.schedule(forMs, () => this.#insist({ kind: "addVoter", id }, CHANGE_ATTEMPTS));
          });
        }
        return done;
      }
      case "disk": {
        const { disk } = this.#cluster.target(fault.node);
        disk.state = fault.state;
        this.#loop.schedule(fault.forMs, () => {
          disk.state = "fine";
        });
        return true;
      }
      case "skew":
        this.#cluster.target(fault.node).setClock(fault.offsetMs, fault.rate);
        return true;
      case "partition":
        this.#partition(cutLinks(fault.shape, this.#aim(fault), fault.apart), fault.forMs);
        return true;
      case "swizzle":
        this.#swizzle(fault.nodes, fault.opening, fault.forMs);
        return true;
      case "transfer":
        this.#anyLeader().call((node) => {
          node.transferLeadership(fault.node).catch(() => undefined);
        });
        return true;
      case "change":
        this.#change(fault.steps);
        return true;
      case "snapshot":
        this.#cluster.target(fault.node).call((node) => {
          node.snapshot().catch(() => undefined);
        });
        return true;
      default:
        return fault satisfies never;
    }
  }

  #anyLeader(): SimHost {
    return this.#cluster.target(LEADER);
  }

  /** Asks for a change of membership; whoever joins is started. */
  #change(steps: readonly ConfChangeStep[]): void {
    if (this.#stopped) {
      return;
    }
    for (const { id, kind } of steps) {
      const host = this.#cluster.target(id);
      if (kind !== "remove" && !host.used) {
        host.boot();
      }
    }
    this.#anyLeader().call((node) => {
      node.changeMembership(steps).catch(() => undefined);
    });
  }

  /** Asks for a change until it is done, or often enough. */
  #insist(step: ConfChangeStep, attempts: number, then: () => void = () => undefined): void {
    if (this.#stopped || attempts === 0) {
      return;
    }
    const again = (): void => {
      this.#loop.schedule(CHANGE_RETRY_MS, () => this.#insist(step, attempts - 1, then));
    };
    const leader = this.#anyLeader();
    if (leader.node === undefined) {
      again();
    } else {
      leader.call((node) => {
        node.changeMembership([step]).then(then, again);
      });
    }
  }

  #crash(host: SimHost, forMs: number): void {
    if (host.up) {
      this.#bootAfter(host, forMs);
      host.crash();
    }
  }

  #stop(host: SimHost, forMs: number): void {
    if (host.up) {
      this.#bootAfter(host, forMs);
      host.call((node) => {
        node.stop().catch(() => undefined);
      });
    }
  }

  /**
   * Loses a disk, if a quorum stays in every membership that some node follows. Nobody can tell that from a new node
   * who has not met the one before; so much luck is not asked for.
   */
  #wipe(host: SimHost, forMs: number): boolean {
    if (!host.up || host.wiped || !this.#cluster.isMet(host)) {
      return false;
    }
    host.wiped = true;
    if (!this.#cluster.hasQuorum()) {
      host.wiped = false;
      return false;
    }
    this.#crash(host, forMs);
    host.wipe();
    return true;
  }

  /** Starts a machine anew, unless something else did meanwhile. */
  #bootAfter(host: SimHost, afterMs: number): void {
    const { process } = host;
    this.#loop.schedule(afterMs, () => {
      if (host.process === process) {
        host.crash();
        host.boot();
      }
    });
  }

  /** The nodes in the order that a partition is laid over. */
  #aim({ aimed, nodes }: Extract<Fault, { kind: "partition" }>): readonly NodeId[] {
    const leader = aimed ? this.#cluster.leader()?.id : undefined;
    return leader === undefined ? nodes : [leader, ...nodes.filter((id) => id !== leader)];
  }

  #partition(links: readonly (readonly [NodeId, NodeId])[], forMs: number): void {
    for (const [from, to] of links) {
      this.#network.block(from, to);
    }
    this.#loop.schedule(forMs, () => {
      for (const [from, to] of links) {
        this.#network.unblock(from, to);
      }
    });
  }

  #swizzle(nodes: readonly NodeId[], opening: readonly NodeId[], forMs: number): void {
    const gapMs = forMs / (2 * nodes.length);
    for (const [at, id] of nodes.entries()) {
      this.#loop.schedule(at * gapMs, () => {
        for (const { id: other } of this.#stopped ? [] : this.#cluster.hosts) {
          this.#network.clog(id, other);
          this.#network.clog(other, id);
        }
      });
    }
    for (const [at, id] of opening.entries()) {
      this.#loop.schedule(forMs / 2 + (at + 1) * gapMs, () => {
        for (const { id: other } of this.#cluster.hosts) {
          this.#network.unclog(id, other);
          this.#network.unclog(other, id);
        }
      });
    }
  }
}

const CHANGE_ATTEMPTS = 30;
const CHANGE_RETRY_MS = 100;
