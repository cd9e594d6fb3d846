import type { NodeId } from "../entry.ts";
import { RaftError } from "../errors.ts";
import type { FSM } from "../fsm.ts";
import { LogImage } from "../memory/log-image.ts";
import { RaftNode, type RaftNodeConfig } from "../node/raft-node.ts";
import type { SessionResult } from "../node/sessions.ts";
import { ObservedFsm } from "./observed-fsm.ts";
import type { Referee } from "./referee/referee.ts";
import { hold, Violation } from "./referee/violation.ts";
import type { SeededRandom } from "./seeded-random.ts";
import { SimDisk } from "./sim-disk.ts";
import { SimLogStore } from "./sim-log-store.ts";
import type { SimNetwork } from "./sim-network.ts";
import { type SimSnapshotFile, SimSnapshotStore } from "./sim-snapshot-store.ts";
import { type SimStableFile, SimStableStore } from "./sim-stable-store.ts";
import { SimProcess, type VirtualLoop } from "./virtual-loop.ts";

/** What a {@link SimHost} is part of. */
export interface SimHostDeps {
  readonly loop: VirtualLoop;
  readonly network: SimNetwork;
  readonly referee: Referee;
  readonly random: SeededRandom;
  /** Makes the machine of a workload, and the one around it that the node drives. */
  readonly createFsm: () => { machine: FSM; fsm: FSM<SessionResult<unknown>> };
  /** The request that took effect by a command, if it did. */
  readonly requestOf: (data: Uint8Array, result: unknown) => string | undefined;
  readonly config: Omit<RaftNodeConfig, "id">;
}

/** A machine with a disk, on which a node runs now and then. */
export class SimHost {
  readonly id: NodeId;
  readonly disk: SimDisk;
  readonly #deps: SimHostDeps;
  #image = new LogImage();
  #stable: SimStableFile = { state: undefined };
  #snapshots: SimSnapshotFile[] = [];
  #boots = 0;
  /** Counts its disks. */
  #life = 0;
  #process: SimProcess | undefined;
  #node: RaftNode<SessionResult<unknown>> | undefined;
  #fsm: ObservedFsm<SessionResult<unknown>> | undefined;
  #machine: FSM | undefined;
  offsetMs = 0;
  rate = 1;
  /** Whether its disk was lost and the others may still refuse it. */
  wiped = false;

  constructor(id: NodeId, deps: SimHostDeps) {
    this.id = id;
    this.#deps = deps;
    this.disk = new SimDisk(deps.loop, deps.random.stream(`disk/${id}`));
  }

  /** Whether a process runs, if only a stopped one. */
  get up(): boolean {
    return this.#process !== undefined && this.#process.state !== "dead";
  }

  /** Whether it was ever started. */
  get used(): boolean {
    return this.#boots > 0;
  }

  get process(): SimProcess | undefined {
    return this.#process;
  }

  /** The node, while it runs. */
  get node(): RaftNode<SessionResult<unknown>> | undefined {
    return this.up && this.#node?.state === "running" ? this.#node : undefined;
  }

  /** Names its disk, once a node wrote its identity to it. */
  get incarnation(): number | undefined {
    return this.#stable.state?.identity.incarnation;
  }

  /** The incarnation in which its node met another; undefined when it does not remember any. */
  met(id: NodeId): number | undefined {
    return this.#stable.state?.peers[id];
  }

  /** The last command that its state machine applied, and what the machine then was. */
  get state(): { revision: number; chain: string; machine: FSM } {
    return { revision: this.#fsm!.index, chain: this.#fsm!.chain, machine: this.#machine! };
  }

  /** Starts a process over what the disk has. */
  boot(): void {
    if (this.up) {
      return;
    }
    const { config, createFsm, loop, network, random, referee } = this.#deps;
    this.#boots++;
    const process = new SimProcess(this.id, this.#boots, loop);
    this.#process = process;
    this.setClock(this.offsetMs, this.rate);
    this.disk.attach(process);
    const { fsm, machine } = createFsm();
    this.#machine = machine;
    this.#fsm = this.#observe(fsm);
    referee.booted(this.id, this.#life, this.#image);
    const { bootstrap, ...options } = config;
    const founded =
      this.#life === 0 && [...(bootstrap?.voters ?? []), ...(bootstrap?.learners ?? [])].includes(this.id);
    const node = new RaftNode<SessionResult<unknown>>(
      { ...options, id: this.id, ...(founded ? { bootstrap } : {}) },
      {
        fsm: this.#fsm,
        log: new SimLogStore(this.disk, this.#image, (batch) => referee.appending(this.id, batch)),
        stable: new SimStableStore(this.disk, this.#stable),
        snapshots: new SimSnapshotStore(this.disk, this.#snapshots),
        transport: network.transport(this.id, process),
        clock: process,
        random: random.stream(`node/${process.name}`),
      },
    );
    this.#node = node;
    node.on("failed", ({ error }) => this.#failed(process, error));
    node.on("snapshotTaken", (meta) => referee.later(() => referee.snapshotSeen(meta)));
    node.on("diverged", ({ index, ids }) =>
      referee.later(() => {
        throw new Violation(
          "state machine safety",
          `expected equal machines at ${index}, got others on ${ids}`,
        );
      }),
    );
    process.setImmediate(() => {
      node.start().catch((error) => this.#failed(process, RaftError.from(error)));
    });
  }

  /** Cuts the power. */
  crash(): void {
    if (!this.up) {
      return;
    }
    this.#process!.kill();
    this.#deps.network.disconnect(this.id);
    this.disk.crash();
  }

  /** Loses the disk; the machine must be down. */
  wipe(): void {
    this.disk.wipe();
    this.#image = new LogImage();
    this.#stable = { state: undefined };
    this.#snapshots = [];
    this.#life++;
    this.wiped = true;
  }

  setClock(offsetMs: number, rate: number): void {
    this.offsetMs = offsetMs;
    this.rate = rate;
    if (this.#process !== undefined) {
      this.#process.offsetMs = offsetMs;
      this.#process.rate = rate;
    }
  }

  /** Runs something in the node's process, if it is still there when its turn comes. */
  call(work: (node: RaftNode<SessionResult<unknown>>) => void): void {
    const { node } = this;
    if (node !== undefined) {
      this.#process!.setImmediate(() => {
        if (node.state === "running") {
          work(node);
        }
      });
    }
  }

  #observe(fsm: FSM<SessionResult<unknown>>): ObservedFsm<SessionResult<unknown>> {
    const { referee, requestOf } = this.#deps;
    return new ObservedFsm(fsm, {
      applied: (entry, result, chain) => {
        const request = requestOf(entry.data, result);
        referee.later(() => {
          hold(
            referee.commits.term(entry.index) === entry.term,
            "state machine safety",
            () => `expected ${this.id} to apply a committed entry, got ${entry.index}/${entry.term}`,
          );
          referee.machines.applied(entry, chain, request);
        });
      },
      restored: (index, chain) => referee.later(() => referee.machines.restored(index, chain)),
      broken: (message) =>
        referee.later(() => {
          throw new Violation("a snapshot is its log", `${this.id}: ${message}`);
        }),
    });
  }

  /** What a disk does to a node is repaired by starting it anew, as a supervisor would; anything else is a bug. */
  #failed(process: SimProcess, error: RaftError): void {
    const { loop, random, referee } = this.#deps;
    if (process !== this.#process || process.state === "dead") {
      return;
    }
    if (!DISK_CODES.has(error.code)) {
      referee.later(() => {
        throw new Violation(
          "no internal failure",
          `expected ${this.id} to run, got ${error.code}: ${error.message}`,
          {
            cause: error,
          },
        );
      });
      return;
    }
    loop.schedule(random.between(100, 1000), () => {
      if (process === this.#process) {
        this.crash();
        this.boot();
      }
    });
  }
}

const DISK_CODES: ReadonlySet<string> = new Set(["RAFT_STORAGE_FAILED", "RAFT_STORAGE_HUNG", "RAFT_STOPPED"]);
