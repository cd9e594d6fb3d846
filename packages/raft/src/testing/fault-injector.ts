import type { NodeId } from "../entry.ts";
import { cutLinks, type Fault } from "./fault.ts";
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
        this.#crash(this.#cluster.host(fault.node), fault.forMs);
        return true;
      case "stop":
        this.#stop(this.#cluster.host(fault.node), fault.forMs);
        return true;
      case "pause": {
        const { process } = this.#cluster.host(fault.node);
        process?.pause();
        this.#loop.schedule(fault.forMs, () => process?.resume());
        return true;
      }
      case "wipe":
        return this.#wipe(this.#cluster.host(fault.node), fault.forMs);
      case "disk": {
        const { disk } = this.#cluster.host(fault.node);
        disk.state = fault.state;
        this.#loop.schedule(fault.forMs, () => {
          disk.state = "fine";
        });
        return true;
      }
      case "skew":
        this.#cluster.host(fault.node).setClock(fault.offsetMs, fault.rate);
        return true;
      case "partition":
        this.#partition(cutLinks(fault.shape, fault.nodes, fault.apart), fault.forMs);
        return true;
      case "swizzle":
        this.#swizzle(fault.nodes, fault.opening, fault.forMs);
        return true;
      case "transfer":
        this.#leaderOr(fault.node).call((node) => {
          node.transferLeadership(fault.node).catch(() => undefined);
        });
        return true;
      case "change":
        for (const { id, kind } of fault.steps) {
          if (kind !== "remove" && !this.#cluster.host(id).used) {
            this.#cluster.host(id).boot();
          }
        }
        this.#leaderOr(fault.steps[0]!.id).call((node) => {
          node.changeMembership(fault.steps).catch(() => undefined);
        });
        return true;
      case "snapshot":
        this.#cluster.host(fault.node).call((node) => {
          node.snapshot().catch(() => undefined);
        });
        return true;
      default:
        return fault satisfies never;
    }
  }

  #leaderOr(id: NodeId): SimHost {
    return this.#cluster.leader() ?? this.#cluster.host(id);
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

  /** Loses a disk, if a quorum stays in every membership that some node follows. */
  #wipe(host: SimHost, forMs: number): boolean {
    if (!host.up || host.wiped) {
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
