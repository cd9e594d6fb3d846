import { mkdir } from "node:fs/promises";
import { setTimeout as sleep } from "node:timers/promises";
import type { ConfChangeStep, Status } from "@mon/raft";
import { operate } from "../../raft-service/client.ts";
import type { Plant } from "../../raft-service/service.ts";
import { Disk } from "./disk.ts";
import { MemberProcess } from "./member-process.ts";
import { Namespaces } from "./namespaces.ts";
import type { Network } from "./network.ts";
import { Proxies } from "./proxies.ts";

/** What a cluster is made of. */
export interface ClusterOptions {
  /** Voters at the start; one more process runs, which can be added. */
  readonly nodes: number;
  /** Emptied and removed by whoever made it. */
  readonly directory: string;
  readonly network: Network["kind"];
  /** Members whose disk can be filled, by their place. */
  readonly smallDisks: ReadonlySet<number>;
  readonly plant: Plant | undefined;
  /** Variables of the members' environment, beside the runner's own. */
  readonly env: NodeJS.ProcessEnv;
}

/** Small, so that members that were away get snapshots. */
const snapshots = ["--snapshot-every", "80", "--trailing", "20", "--hash-every", "64"];
const operateTimeoutMs = 4_000;
const names = "abcdefgh";

/** Processes, their disks and the network between them. */
export class Cluster {
  readonly members: MemberProcess[] = [];
  readonly network: Network;
  readonly disks: Disk[] = [];
  /** Clusters that are there, if only in part; whoever is told to stop takes them down. */
  static readonly open: Set<Cluster> = new Set();

  private constructor(network: Network) {
    this.network = network;
  }

  /** Starts all members; there may be no leader yet. */
  static async start(options: ClusterOptions): Promise<Cluster> {
    const ids = [...names].slice(0, options.nodes + 1);
    const network = new (options.network === "proxies" ? Proxies : Namespaces)(ids);
    const cluster = new Cluster(network);
    Cluster.open.add(cluster);
    try {
      await cluster.#build(ids, options);
      return cluster;
    } catch (error) {
      await cluster.close();
      throw error;
    }
  }

  async #build(ids: readonly string[], options: ClusterOptions): Promise<void> {
    const { directory, env, nodes, plant, smallDisks } = options;
    const voters = ids.slice(0, nodes);
    await mkdir(directory, { recursive: true });
    await this.network.open();
    for (const [at, id] of ids.entries()) {
      const disk = await Disk.create(directory, id, smallDisks.has(at));
      this.disks.push(disk);
      const { host, port } = this.network.clientAddress(id);
      const peers = ids.map((to) => {
        const peer = this.network.peerAddress(id, to);
        return `${to}=${peer.host}:${peer.port}`;
      });
      const who = ["--id", id, "--peers", peers.join(","), "--listen", `${host}:${port}`];
      const joins = voters.includes(id) ? ["--voters", voters.join(",")] : ["--join"];
      const planted = plant === undefined ? [] : ["--plant", plant];
      const args = [...who, ...joins, "--data", disk.directory, ...snapshots, ...planted];
      const wrap = (command: readonly string[]) => this.network.commandOf(id, command);
      this.members.push(new MemberProcess(id, `http://${host}:${port}`, wrap, args, env));
    }
    await Promise.all(this.members.map((member) => member.start()));
  }

  get ids(): string[] {
    return this.members.map(({ id }) => id);
  }

  member(id: string): MemberProcess {
    return this.members.find((member) => member.id === id)!;
  }

  /** What members say that answer within a moment. */
  async statuses(): Promise<Status[]> {
    const up = this.members.filter(({ isUp }) => isUp);
    const found = await Promise.all(up.map((member) => member.status(500).catch(() => undefined)));
    return found.flatMap((each) => each?.raft ?? []);
  }

  /** Who leads in the highest term, as far as anybody who answers knows. */
  async leader(): Promise<Status | undefined> {
    const leaders = (await this.statuses()).filter(({ role }) => role === "leader");
    return leaders.sort((a, b) => b.term - a.term)[0];
  }

  /** @throws {Error} with the member's refusal */
  async transfer(from: string, to: string): Promise<void> {
    await operate(this.member(from).authority, "TransferLeadership", { to }, operateTimeoutMs);
  }

  /** @throws {Error} with the member's refusal */
  async changeMembership(by: string, steps: readonly ConfChangeStep[]): Promise<void> {
    await operate(this.member(by).authority, "ChangeMembership", { steps }, operateTimeoutMs);
  }

  /** @throws {Error} with the member's refusal */
  async snapshot(by: string): Promise<void> {
    await operate(this.member(by).authority, "Snapshot", {}, operateTimeoutMs);
  }

  /** Undoes all faults and starts who is down. */
  async heal(): Promise<void> {
    await this.network.heal();
    for (const disk of this.disks) await disk.free();
    for (const member of this.members) member.resume();
    await Promise.all(this.members.map((member) => member.start()));
  }

  /**
   * Waits until all members of the present membership have applied the same and nothing is under way.
   *
   * @returns what keeps them from it, when they are not there in time; else undefined
   */
  async settle(timeoutMs: number): Promise<string | undefined> {
    const deadline = performance.now() + timeoutMs;
    let reason = "";
    while (performance.now() < deadline) {
      reason = await this.#unsettled();
      if (reason === "") return undefined;
      await sleep(100);
    }
    return reason;
  }

  async #unsettled(): Promise<string> {
    const leader = await this.leader();
    if (leader === undefined) return "expected a leader, got none";
    const { conf, last } = leader;
    if (conf.votersOutgoing.length > 0) return "expected the change of membership to end";
    const ids = [...conf.voters, ...conf.learners];
    const found = await Promise.all(
      ids.map((id) =>
        this.member(id)
          .status(500)
          .catch(() => undefined),
      ),
    );
    for (const [at, status] of found.entries()) {
      const applied = status?.raft?.applied;
      if (applied !== last.index) return `expected ${ids[at]} to apply ${last.index}, got ${applied}`;
    }
    const hashes = new Set(found.map((status) => status!.hash));
    if (hashes.size > 1) return `expected equal states at ${last.index}, got ${[...hashes].join("; ")}`;
    return "";
  }

  /** Ends all processes and takes the network down. */
  async close(): Promise<void> {
    await Promise.all(this.members.map((member) => member.kill()));
    for (const disk of this.disks) await disk.close();
    await this.network.close();
    Cluster.open.delete(this);
  }
}
