import {
  type Clock,
  RaftError,
  type RaftMetrics,
  RaftNode,
  type RaftNodeConfig,
  RaftSupervisor,
  type Status,
} from "@mon/raft";
import { LevelStorage } from "@mon/raft-level";
import { KeyValueMachine, type WriteOutcome } from "./key-value-machine.ts";
import { ListeningTransport } from "./listening-transport.ts";
import type { MemberOptions } from "./member-options.ts";

const clock: Clock = {
  now: () => Date.now(),
  setTimeout: (callback, ms) => ({ cancel: clearTimeout.bind(undefined, setTimeout(callback, ms)) }),
  setImmediate: (callback) => ({ cancel: clearImmediate.bind(undefined, setImmediate(callback)) }),
};
const random = { next: Math.random };

/** How it stands with a member. */
export interface MemberStatus {
  readonly id: string;
  /** Undefined while no node runs: its disk failed, and it will be tried again. */
  readonly raft: Status | undefined;
  /** Of the node that runs; `appends` counts synced batches. */
  readonly metrics: Readonly<RaftMetrics> | undefined;
  readonly keys: number;
  readonly revision: number;
  /** Equal on members that applied the same writes. */
  readonly hash: string;
  /** Nodes made after a failure. */
  readonly restarts: number;
}

/** One member of the cluster: node, log, network and map, kept going when the disk fails and recovers. */
export class Member {
  readonly #options: MemberOptions;
  readonly #supervisor: RaftSupervisor<readonly WriteOutcome[]>;
  #machine = new KeyValueMachine();
  #restarts = 0;

  /** @param log - told of what happens, a line each */
  constructor(options: MemberOptions, log: (line: string) => void) {
    this.#options = options;
    const create = (): RaftNode<readonly WriteOutcome[]> => this.#create(log);
    this.#supervisor = new RaftSupervisor({ create, clock, backoffMsMin: 200, backoffMsMax: 2_000 });
    this.#supervisor.on("retrying", ({ delayMs, error }) => {
      this.#restarts++;
      log(`retrying in ${delayMs} ms: ${error.code} ${error.message}`);
    });
    this.#supervisor.on("started", () => log("started"));
  }

  /** The map of the node that runs. */
  get machine(): KeyValueMachine {
    return this.#machine;
  }

  /** @throws {RaftError} RAFT_STOPPED when none runs at the moment */
  get node(): RaftNode<readonly WriteOutcome[]> {
    const { node } = this.#supervisor;
    if (node === undefined) throw new RaftError("RAFT_STOPPED", "expected a node that runs, got none");
    return node;
  }

  /** @param gaveUp - called when the node fails in a way that trying again does not mend */
  async start(gaveUp: (error: RaftError) => void): Promise<void> {
    this.#supervisor.on("gaveUp", ({ error }) => gaveUp(error));
    await this.#supervisor.start();
  }

  async stop(): Promise<void> {
    await this.#supervisor.stop();
  }

  status(): MemberStatus {
    const { node } = this.#supervisor;
    return {
      id: this.#options.id,
      raft: node?.status(),
      metrics: node?.metrics,
      keys: this.#machine.size,
      revision: this.#machine.revision,
      hash: this.#machine.hash(),
      restarts: this.#restarts,
    };
  }

  #create(log: (line: string) => void): RaftNode<readonly WriteOutcome[]> {
    const { directory, id, joins, peers, times, voters, snapshots } = this.#options;
    const fsm = new KeyValueMachine();
    this.#machine = fsm;
    const { log: entries, snapshots: images, stable } = new LevelStorage({ directory });
    const { host, port } = peers.get(id)!;
    const addressOf = (peer: string): string | undefined => {
      const address = peers.get(peer);
      return address === undefined ? undefined : `http://${address.host}:${address.port}`;
    };
    const transport = new ListeningTransport(host, port, { addressOf, clock, random });
    const bootstrap: Pick<RaftNodeConfig, "bootstrap"> = joins ? {} : { bootstrap: { voters } };
    const node = new RaftNode<readonly WriteOutcome[]>(
      { id, clusterId: "key-value", ...bootstrap, ...times, ...snapshots },
      { fsm, log: entries, stable, snapshots: images, transport, clock, random },
    );
    node.on("leaderChanged", ({ leaderId, term }) => log(`term ${term}: leader ${leaderId ?? "unknown"}`));
    node.on("diverged", ({ ids, index }) => log(`diverged at ${index}: ${ids.join(", ")}`));
    node.on("snapshotInstalled", ({ index }) => log(`snapshot installed: ${index}`));
    node.on("configChanged", ({ conf, index }) => log(`members at ${index}: ${conf.voters.join(", ")}`));
    return node;
  }
}
