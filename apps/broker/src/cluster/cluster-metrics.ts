import type { MemberState } from "@mon/cluster";
import { Counter, Gauge, type Registry } from "prom-client";
import type { ClusterNode } from "./cluster-node.ts";
import type { Router } from "./router.ts";

const memberStates: readonly MemberState[] = ["joining", "active", "leaving", "left", "down"];

/** Adds what there is to say of a broker in a cluster. */
export function addClusterMetrics(registry: Registry, cluster: ClusterNode, router: Router): void {
  const gauge = (name: string, help: string, read: () => number): void => {
    new Gauge({
      name,
      help,
      registers: [registry],
      collect() {
        this.set(read());
      },
    });
  };
  const counter = (name: string, help: string, read: () => number): void => {
    new Counter({
      name,
      help,
      registers: [registry],
      collect() {
        this.reset();
        this.inc(read());
      },
    });
  };
  new Gauge({
    name: "mon_cluster_members",
    help: "Members of the cluster, by state, as this broker knows them.",
    labelNames: ["state"],
    registers: [registry],
    collect() {
      const members = [...cluster.state.members.values()];
      for (const state of memberStates)
        this.set({ state }, members.filter((member) => member.state === state).length);
    },
  });
  gauge("mon_cluster_ring_epoch", "The epoch of the ring in force.", () => cluster.state.ring.epoch);
  gauge("mon_raft_term", "The term of Raft.", () => cluster.raftStatus()?.term ?? 0);
  gauge("mon_raft_leader", "Whether this broker leads.", () =>
    cluster.raftStatus()?.role === "leader" ? 1 : 0,
  );
  gauge("mon_raft_leader_known", "Whether it knows who leads.", () =>
    cluster.raftStatus()?.leaderId === undefined ? 0 : 1,
  );
  gauge("mon_raft_committed_index", "The last entry known to be committed.", () => {
    return cluster.raftStatus()?.committed ?? 0;
  });
  gauge("mon_raft_applied_index", "The last entry applied.", () => cluster.raftStatus()?.applied ?? 0);
  counter("mon_forwarded_reports_total", "Reports that other brokers stored, their owners.", () => {
    return router.counters.forwarded;
  });
  counter("mon_stood_in_reports_total", "Reports stored here because their owner did not answer.", () => {
    return router.counters.stoodIn;
  });
}
