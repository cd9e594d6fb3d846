import path from "node:path";
import { operate } from "../raft-service/client.ts";
import type { MemberStatus } from "../raft-service/member.ts";
import { type Cluster, eventually } from "./cluster.ts";
import { freePorts } from "./free-ports.ts";
import { Program } from "./program.ts";

/** One member of a {@link ServiceCluster}: an id and its ports stay, processes come and go. */
interface Member {
  readonly id: string;
  readonly peerPort: number;
  readonly port: number;
  process: Program;
}

/** Three members of `tools/raft-service` with default options. */
export class ServiceCluster implements Cluster {
  readonly name = "mon";
  readonly #directory: string;
  readonly #members: readonly Member[];
  #leader: Member;

  private constructor(directory: string, members: readonly Member[]) {
    this.#directory = directory;
    this.#members = members;
    this.#leader = members[0]!;
  }

  /** Starts members, logs under `directory`, and waits for a leader. */
  static async start(directory: string, nodeFlags: readonly string[] = []): Promise<ServiceCluster> {
    const ids = ["a", "b", "c"];
    const ports = await freePorts(2 * ids.length);
    const peers = ids.map((id, at) => `${id}=127.0.0.1:${ports[2 * at]}`).join();
    const members = ids.map((id, at): Member => {
      const [peerPort, port] = [ports[2 * at]!, ports[2 * at + 1]!];
      return { id, peerPort, port, process: startMember(directory, id, peers, port, nodeFlags) };
    });
    const cluster = new ServiceCluster(directory, members);
    try {
      await Promise.all(members.map(({ process }) => process.line()));
      await cluster.findLeader();
    } catch (error) {
      await cluster[Symbol.asyncDispose]();
      throw error;
    }
    return cluster;
  }

  get pids(): readonly number[] {
    return this.#members.map(({ process }) => process.pid);
  }

  get leaderPid(): number {
    return this.#leader.process.pid;
  }

  get leaderPort(): number {
    return this.#leader.port;
  }

  /** Ports of the members that do not lead. */
  get followerPorts(): readonly number[] {
    return this.#members.filter((member) => member !== this.#leader).map(({ port }) => port);
  }

  /** Waits until all members follow the same leader and have applied what it has committed. */
  async findLeader(): Promise<void> {
    this.#leader = await eventually("the members to agree on a leader", async () => {
      const found = await Promise.all(this.#members.map((member) => statusOf(member)));
      const leaderId = found[0]!.raft?.leaderId;
      const leader = this.#members.findIndex(({ id }) => id === leaderId);
      const committed = found[leader]?.raft?.committed ?? 0;
      const agree = found.every(
        ({ raft }) => raft?.leaderId === leaderId && raft!.applied >= committed - 1_000,
      );
      return leader >= 0 && agree ? this.#members[leader] : undefined;
    });
  }

  async logSyncs(): Promise<number> {
    const found = await Promise.all(this.#members.map((member) => statusOf(member)));
    return found.reduce((sum, { metrics }) => sum + (metrics?.appends ?? 0), 0);
  }

  /** Ends the leader's process, without warning. */
  killLeader(): void {
    this.#leader.process.kill();
  }

  /** Starts the process of the leader that was killed again, over its disk, and waits until it has caught up. */
  async restartKilled(): Promise<void> {
    const member = this.#leader;
    await member.process.ended();
    const peers = this.#members.map(({ id, peerPort }) => `${id}=127.0.0.1:${peerPort}`).join();
    member.process = startMember(this.#directory, member.id, peers, member.port);
    await member.process.line();
    await this.findLeader();
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await Promise.all(this.#members.map(({ process }) => process[Symbol.asyncDispose]()));
  }
}

function startMember(
  directory: string,
  id: string,
  peers: string,
  port: number,
  nodeFlags: readonly string[] = [],
): Program {
  const data = path.join(directory, id);
  const args = ["--id", id, "--peers", peers, "--listen", `127.0.0.1:${port}`, "--data", data];
  return Program.startScript("tools/raft-service/main.ts", args, { logFile: `${data}.log`, nodeFlags });
}

async function statusOf({ port }: Member): Promise<MemberStatus> {
  return (await operate(`http://127.0.0.1:${port}`, "Status", {}, 2_000)) as MemberStatus;
}
