import { type ConfState, isVoter, sameConf } from "../conf-state.ts";
import { bootstrapBatch } from "../core/bootstrap.ts";
import type { Status } from "../core/status.ts";
import type { NodeId } from "../entry.ts";
import type { FSM } from "../fsm.ts";
import { raftNodeDefaults } from "../node/options.ts";
import { ClientSession, type SessionResult, withSessions } from "../node/sessions.ts";
import { drawFaults, type Fault } from "./fault.ts";
import { FaultInjector } from "./fault-injector.ts";
import { drawProfile, ELECTION_TIMEOUT_MS, type SimulationProfile } from "./profile.ts";
import { Referee } from "./referee/referee.ts";
import { hold, type InvariantName, Violation } from "./referee/violation.ts";
import { SeededRandom } from "./seeded-random.ts";
import { requestName, SimClient } from "./sim-client.ts";
import { SimCluster } from "./sim-cluster.ts";
import { SimHost } from "./sim-host.ts";
import { calmWeather, SimNetwork } from "./sim-network.ts";
import { TraceHash } from "./trace-hash.ts";
import { type SimProcess, VirtualLoop } from "./virtual-loop.ts";
import { RegisterWorkload, type SimulationWorkload, type WorkloadCall } from "./workload.ts";

/** What to simulate. The same options give the same run, step by step. */
export interface SimulationOptions {
  /** All chance comes from it: an integer. */
  readonly seed: number;
  /** Events until faults end and recovery is required. Default 20,000. */
  readonly steps?: number;
  /** Machines that there are; how many of them are members at first is drawn. Default 5. */
  readonly nodes?: number;
  /** Takes the place of the faults drawn from the seed. */
  readonly faults?: readonly Fault[];
  /** Takes the place of parts of the profile drawn from the seed. */
  readonly profile?: Partial<SimulationProfile>;
  /** What clients do. Default {@link RegisterWorkload}. */
  readonly workload?: SimulationWorkload;
  /**
   * Puts something around the state machine with its sessions. For tests that plant a bug and want it found.
   */
  readonly wrapFsm?: (fsm: FSM<SessionResult<unknown>>) => FSM<SessionResult<unknown>>;
  /** Told what happens, in words. */
  readonly log?: (line: string) => void;
}

/** What a run came to. */
export interface SimulationResult {
  readonly seed: number;
  /** Events that happened, recovery included. */
  readonly steps: number;
  readonly virtualMs: number;
  /** Equal for two runs exactly when they were the same. */
  readonly traceHash: string;
  /** The first invariant that did not hold, if one did not. */
  readonly violation: { readonly invariant: InvariantName; readonly message: string } | undefined;
  /** What the run was like. */
  readonly profile: SimulationProfile;
  /** The faults of the run, ascending by time; those after its end included. */
  readonly faults: readonly Fault[];
  /** How much happened, to see that runs are worth something. */
  readonly counts: SimulationCounts;
}

/** Counts over a run. */
export interface SimulationCounts {
  faults: number;
  elections: number;
  committed: number;
  commands: number;
  queries: number;
  messages: number;
  /** Whether recovery was required: not when lost disks left no quorum. */
  recoveries: number;
}

/**
 * Runs a cluster of `RaftNode`s in virtual time on machines, disks and a network that fail as the seed says, with
 * clients that read and write. After every step the invariants are checked. At the end all faults are undone, and the
 * cluster has to elect a leader within 10 election timeouts, commit within 20 and agree within 100.
 *
 * Keeps the event loop busy until it ends. Nothing in it waits for real time.
 */
export async function simulate(options: SimulationOptions): Promise<SimulationResult> {
  return await new Simulation(options).run();
}

class Simulation {
  readonly #options: SimulationOptions;
  readonly #seed: number;
  readonly #steps: number;
  readonly #profile: SimulationProfile;
  readonly #faults: readonly Fault[];
  readonly #workload: SimulationWorkload;
  readonly #loop = new VirtualLoop();
  readonly #trace = new TraceHash();
  readonly #network: SimNetwork;
  readonly #referee: Referee;
  readonly #cluster: SimCluster;
  readonly #injector: FaultInjector;
  readonly #clients: readonly SimClient[];
  readonly #counts: SimulationCounts = {
    faults: 0,
    elections: 0,
    committed: 0,
    commands: 0,
    queries: 0,
    messages: 0,
    recoveries: 0,
  };
  #conf: ConfState | undefined;
  /** The proposal that shows that the cluster recovered. */
  readonly #last: WorkloadCall[] = [];
  #step = 0;

  constructor(options: SimulationOptions) {
    this.#options = options;
    this.#seed = options.seed;
    this.#steps = options.steps ?? 20_000;
    this.#workload = options.workload ?? new RegisterWorkload();
    const random = new SeededRandom(options.seed);
    const ids = Array.from({ length: options.nodes ?? 5 }, (_, at) => `n${at + 1}`);
    this.#profile = { ...drawProfile(random.stream("profile"), ids.length), ...options.profile };
    const { clients, queryRate, thinkMsMean } = this.#profile;
    this.#faults =
      options.faults ??
      drawFaults(random.stream("faults"), this.#profile.faultGapMsMean, ids, this.#steps * MAX_STEP_MS);
    const voters = ids.slice(0, this.#profile.voters);
    const learners = ids.slice(voters.length, voters.length + this.#profile.learners);
    this.#referee = new Referee(bootstrapBatch(voters, learners), {
      ...raftNodeDefaults,
      ...this.#profile.options,
    });
    this.#network = new SimNetwork(this.#loop, random.stream("network"), this.#profile.weather, {
      sent: (from, messages) => {
        this.#counts.messages += messages.length;
        this.#referee.sent(from, messages);
      },
      delivered: (from, to, messages) => {
        for (const { term, type } of messages) {
          this.#trace.addText(type);
          this.#trace.add(term);
        }
        this.#options.log?.(`${this.#now} ${from} → ${to}: ${messages.map(describe).join(", ")}`);
      },
    });
    const deps = {
      loop: this.#loop,
      network: this.#network,
      referee: this.#referee,
      random,
      requestOf,
      createFsm: () => {
        const machine = this.#workload.createFsm();
        const fsm = withSessions<unknown>(machine);
        return { machine, fsm: options.wrapFsm?.(fsm) ?? fsm };
      },
      config: { ...this.#profile.options, clusterId: "simulation", bootstrap: { voters, learners } },
    };
    const hosts = ids.map((id) => new SimHost(id, deps));
    this.#cluster = new SimCluster(hosts, this.#referee.commits);
    this.#injector = new FaultInjector(this.#loop, this.#network, this.#cluster);
    for (const host of hosts) {
      host.disk.latencyMsMean = this.#profile.diskLatencyMsMean;
    }
    const [workload, referee, loop] = [this.#workload, this.#referee, this.#loop];
    this.#clients = Array.from({ length: clients }, (_, at) => {
      const own = random.stream(`client/${at}`);
      const name = `client-${at}`;
      return new SimClient(name, { loop, random: own, referee, hosts, workload, thinkMsMean, queryRate });
    });
    for (const host of hosts.slice(0, voters.length + learners.length)) {
      host.boot();
    }
  }

  async run(): Promise<SimulationResult> {
    let violation: SimulationResult["violation"];
    try {
      for (const fault of this.#faults) {
        this.#loop.schedule(fault.atMs, () => this.#inject(fault));
      }
      for (const client of this.#clients) {
        client.start();
      }
      await this.#loop.run(Number.POSITIVE_INFINITY, (process) => {
        this.#afterStep(process);
        return this.#step < this.#steps;
      });
      await this.#recover();
    } catch (error) {
      const found =
        error instanceof Violation
          ? error
          : new Violation(
              "no internal failure",
              error instanceof Error ? (error.stack ?? "") : String(error),
            );
      violation = { invariant: found.invariant, message: found.message };
    }
    const calls = this.#clients.flatMap((client) => client.calls);
    this.#counts.commands = calls.filter(({ kind }) => kind === "command").length;
    this.#counts.queries = calls.length - this.#counts.commands;
    this.#counts.elections = this.#referee.elections.count;
    this.#counts.committed = this.#referee.commits.last;
    return {
      seed: this.#seed,
      steps: this.#step,
      virtualMs: this.#loop.now,
      traceHash: this.#trace.text,
      violation,
      profile: this.#profile,
      faults: this.#faults,
      counts: this.#counts,
    };
  }

  get #now(): string {
    return this.#loop.now.toFixed(1).padStart(9);
  }

  /** Checks what a step did. */
  #afterStep(process: SimProcess | null): void {
    this.#step++;
    this.#trace.add(this.#loop.now);
    let status: Status | undefined;
    if (process !== null) {
      const host = this.#cluster.host(process.id);
      if (host?.process === process) {
        status = host.node?.status();
      }
      this.#trace.add(process.fingerprint);
      if (status !== undefined) {
        this.#trace.add(status.term);
        this.#trace.add(status.last.index);
        this.#trace.add(status.committed);
        this.#trace.add(status.applied);
      }
    }
    this.#referee.afterStep(status);
    if (this.#step % SWEEP_STEPS === 0) {
      this.#referee.sweep();
    }
    if (this.#conf !== this.#referee.commits.conf) {
      this.#conf = this.#referee.commits.conf;
      this.#cluster.forgiveWiped();
    }
  }

  async #runFor(ms: number): Promise<void> {
    await this.#loop.run(this.#loop.now + ms, (process) => {
      this.#afterStep(process);
      hold(this.#step < this.#steps * 20 + 1_000_000, "liveness", () => "expected peace to be quiet");
      return true;
    });
  }

  #inject(fault: Fault): void {
    if (this.#injector.inject(fault)) {
      this.#counts.faults++;
      this.#options.log?.(`${this.#now} ${JSON.stringify(fault)}`);
    }
  }

  // ── Peace ─────────────────────────────────────────────────────────────────────────────────────────────────────

  /** Undoes all faults and requires that the cluster recovers. */
  async #recover(): Promise<void> {
    this.#injector.stop();
    this.#options.log?.(`${this.#now} peace`);
    this.#network.weather = calmWeather;
    this.#network.heal();
    for (const host of this.#cluster.hosts) {
      host.disk.state = "fine";
      host.disk.latencyMsMean = 1;
      host.setClock(host.offsetMs, 1);
      host.process?.resume();
      if (host.used && host.node === undefined) {
        host.crash();
        host.boot();
      }
    }
    for (const client of this.#clients) {
      client.finish();
    }
    // Let everybody start, so that it shows what memberships there are.
    await this.#runFor(ELECTION_TIMEOUT_MS);
    if (!this.#cluster.hasQuorum()) {
      return;
    }
    this.#counts.recoveries++;
    await this.#await(10, "a leader that a quorum follows", () => this.#hasLeader());
    await this.#await(20, "a proposal to be committed", this.#proposal());
    await this.#await(100, "all members to agree", () => this.#agrees());
    const commits = this.#referee.commits;
    const chains = new Set(
      this.#cluster
        .hearersOf(this.#cluster.leader()!)
        .map(({ state: { chain, revision } }) => `${revision} ${chain}`),
    );
    hold(
      chains.size === 1,
      "state machine safety",
      () => `expected equal machines, got ${[...chains].join("; ")}`,
    );
    hold(commits.last > 1, "liveness", () => "expected something to be committed");
    const wrong = this.#workload.judge?.([...this.#clients.flatMap((client) => client.calls), ...this.#last]);
    hold(wrong === undefined, "reads are linearizable", () => wrong ?? "");
  }

  async #await(timeouts: number, what: string, isDone: () => boolean): Promise<void> {
    const until = this.#loop.now + timeouts * ELECTION_TIMEOUT_MS;
    while (!isDone()) {
      hold(this.#loop.now < until, "liveness", () => {
        const states = this.#cluster.hosts.map((host) => summary(host)).join("; ");
        return `expected ${what} within ${timeouts} election timeouts, got ${states}`;
      });
      await this.#runFor(50);
    }
  }

  #hasLeader(): boolean {
    const leader = this.#cluster.leader();
    const status = leader?.node?.status();
    if (leader === undefined || status === undefined) {
      return false;
    }
    const follows = (id: NodeId): boolean => {
      const other = this.#cluster.host(id)?.node?.status();
      return other?.term === status.term && other.leaderId === leader.id;
    };
    return [status.conf.voters, status.conf.votersOutgoing].every(
      (half) => half.length === 0 || half.filter(follows).length > half.length / 2,
    );
  }

  /** Proposes something until it is applied. */
  #proposal(): () => boolean {
    const random = new SeededRandom(this.#seed, "/last");
    const input = this.#workload.command(random);
    const command = new ClientSession("last").command(input);
    const calledAt = this.#loop.now;
    let done = false;
    let waiting = false;
    return () => {
      const leader = this.#cluster.leader();
      if (!done && !waiting && leader !== undefined) {
        waiting = true;
        leader.call((node) => {
          node
            .propose(command)
            .then(
              (applied) => {
                this.#referee.answered(applied);
                done = true;
                const { result } = applied;
                const output = result.kind === "applied" ? result.result : undefined;
                this.#referee.later(() => {
                  const revision = this.#referee.machines.indexOf(requestName("last", 1));
                  const returnedAt = this.#loop.now;
                  this.#last.push({ kind: "command", input, output, calledAt, returnedAt, revision });
                });
              },
              () => undefined,
            )
            .finally(() => {
              waiting = false;
            });
        });
      }
      return done;
    };
  }

  #agrees(): boolean {
    const host = this.#cluster.leader();
    const leader = host?.node?.status();
    if (
      host === undefined ||
      leader === undefined ||
      leader.conf.votersOutgoing.length > 0 ||
      !isVoter(leader.conf, leader.id)
    ) {
      return false;
    }
    return (
      this.#clients.every((client) => !client.busy) &&
      leader.committed === leader.last.index &&
      this.#cluster.hearersOf(host).every(({ node }) => {
        const status = node?.status();
        return (
          status !== undefined &&
          status.term === leader.term &&
          status.applied === leader.last.index &&
          sameConf(status.conf, leader.conf)
        );
      })
    );
  }
}

/** The request that took effect by a command in a session, if it did. */
function requestOf(data: Uint8Array, result: unknown): string | undefined {
  const { kind, repeated } = result as { kind: string; repeated?: boolean };
  if (kind !== "applied" || repeated === true) {
    return undefined;
  }
  const length = data[1]!;
  const view = new DataView(data.buffer, data.byteOffset, data.byteLength);
  const clientId = new TextDecoder().decode(data.subarray(2, 2 + length));
  return requestName(clientId, Number(view.getBigUint64(2 + length)));
}

function summary(host: SimHost): string {
  const status = host.node?.status();
  if (status === undefined) {
    return `${host.id} ${host.used ? "down" : "unused"}`;
  }
  const { applied, committed, conf, last, leaderId, role, term } = status;
  return (
    `${host.id}${host.wiped ? " (wiped)" : ""} ${role} ${term} of ${leaderId} ` +
    `${applied}/${committed}/${last.index} ${conf.voters}|${conf.votersOutgoing}|${conf.learners}`
  );
}

function describe(message: { readonly type: string; readonly term: number }): string {
  const { from, to, type, ...rest } = message as Record<string, unknown> & { type: string };
  const short = JSON.stringify(rest, (key, value) => (key === "data" ? "…" : value));
  return `${type} ${short}`;
}

/** How often everything is looked at again. */
const SWEEP_STEPS = 64;
/** No run gets further in time than this, per step. */
const MAX_STEP_MS = 10;
