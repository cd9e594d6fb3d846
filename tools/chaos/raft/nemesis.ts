import { setTimeout as sleep } from "node:timers/promises";
import type { ConfChangeStep } from "@mon/raft";
import type { SeededRandom } from "@mon/raft/testing";
import type { Cluster } from "./cluster.ts";
import { cutsOf, type Fault } from "./fault.ts";
import type { MemberProcess } from "./member-process.ts";

/** Does to a cluster what a schedule says, at its times. */
export class Nemesis {
  readonly #cluster: Cluster;
  readonly #random: SeededRandom;
  readonly #log: (line: string) => void;
  /** How many partitions cut a pair of members. */
  readonly #cuts = new Map<string, number>();
  /** What was done, by kind. */
  readonly done: Record<string, number> = {};

  constructor(cluster: Cluster, random: SeededRandom, log: (line: string) => void) {
    this.#cluster = cluster;
    this.#random = random;
    this.#log = log;
  }

  /** Resolves when all faults are over, or undone by the next of their kind. */
  async run(schedule: readonly Fault[]): Promise<void> {
    const startedAt = performance.now();
    await Promise.all(
      schedule.map(async (fault) => {
        await sleep(fault.atMs - (performance.now() - startedAt));
        await this.#inflict(fault, () => {
          this.done[fault.kind] = (this.done[fault.kind] ?? 0) + 1;
        });
      }),
    );
  }

  async #inflict(fault: Fault, count: () => void): Promise<void> {
    const victims = await this.#victimsOf(fault);
    const names = victims.map(({ id }) => id).join(" ");
    this.#log(`${fault.atMs} ms: ${fault.kind} ${names} for ${fault.durationMs} ms`);
    switch (fault.kind) {
      case "kill":
        await Promise.all(victims.map((member) => member.kill()));
        count();
        await sleep(fault.durationMs);
        await Promise.all(victims.map((member) => member.start()));
        return;
      case "pause":
        for (const member of victims) member.pause();
        count();
        await sleep(fault.durationMs);
        for (const member of victims) member.resume();
        return;
      case "partition":
        await this.#partition(fault, victims, count);
        return;
      case "full-disk":
        await this.#fillDisks(fault, count);
        return;
      case "transfer":
      case "membership":
      case "snapshot":
        // Refusals are right answers here: there may be no leader, another change, nobody to talk to.
        try {
          await this.#operate(fault, victims[0]!);
          count();
        } catch (error) {
          this.#log(`${fault.kind}: ${(error as Error).message}`);
        }
        return;
      default:
        fault.kind satisfies never;
    }
  }

  async #victimsOf({ hitsLeader, victims }: Fault): Promise<MemberProcess[]> {
    const { members } = this.#cluster;
    const chosen = victims.map((place) => members[place]!);
    if (!hitsLeader) return chosen;
    const leader = await this.#cluster.leader();
    if (leader === undefined) return chosen;
    const first = this.#cluster.member(leader.id);
    return [first, ...chosen.filter((member) => member !== first)].slice(0, chosen.length);
  }

  /** What several partitions cut is whole again when the last of them is over. */
  async #partition(fault: Fault, victims: readonly MemberProcess[], count: () => void): Promise<void> {
    const { ids, network } = this.#cluster;
    const names = victims.map(({ id }) => id);
    const cuts = cutsOf(fault.shape, ids, names);
    this.#log(`  ${fault.shape}: ${cuts.map((cut) => cut.join(">")).join(" ")}`);
    for (const [from, to] of cuts) {
      const others = this.#cuts.get(`${from} ${to}`) ?? 0;
      this.#cuts.set(`${from} ${to}`, others + 1);
      if (others === 0) await network.cut(from, to);
    }
    count();
    await sleep(fault.durationMs);
    for (const [from, to] of cuts) {
      const others = this.#cuts.get(`${from} ${to}`)! - 1;
      this.#cuts.set(`${from} ${to}`, others);
      if (others === 0) await network.mend(from, to);
    }
  }

  async #fillDisks({ durationMs }: Fault, count: () => void): Promise<void> {
    const small = this.#cluster.disks.filter(({ canBeFilled }) => canBeFilled);
    for (const disk of small) await disk.fill();
    count();
    await sleep(durationMs);
    for (const disk of small) await disk.free();
  }

  async #operate({ kind }: Fault, victim: MemberProcess): Promise<void> {
    if (kind === "snapshot") {
      await this.#cluster.snapshot(victim.id);
      return;
    }
    const leader = await this.#cluster.leader();
    if (leader === undefined) throw new Error("expected a leader, got none");
    if (kind === "transfer") {
      const others = leader.conf.voters.filter((id) => id !== leader.id);
      await this.#cluster.transfer(leader.id, this.#random.pick(others));
      return;
    }
    const { learners, voters } = leader.conf;
    const steps = this.#drawChange(voters, learners);
    this.#log(`  ${steps.map((step) => `${step.kind} ${step.id}`).join(", ")}`);
    await this.#cluster.changeMembership(leader.id, steps);
  }

  /** A change that keeps all but one of the processes voters: out and in, at once or by and by. */
  #drawChange(voters: readonly string[], learners: readonly string[]): ConfChangeStep[] {
    const outside = this.#cluster.ids.find((id) => !voters.includes(id) && !learners.includes(id));
    const learner = learners[0];
    const victim = this.#random.pick(voters);
    if (learner !== undefined) {
      const add: ConfChangeStep = { kind: "addVoter", id: learner };
      return this.#random.chance(0.5) ? [add] : [add, { kind: "remove", id: victim }];
    }
    if (outside === undefined) {
      return [{ kind: this.#random.chance(0.5) ? "remove" : "addLearner", id: victim }];
    }
    const add: ConfChangeStep = { kind: this.#random.chance(0.6) ? "addLearner" : "addVoter", id: outside };
    return this.#random.chance(0.4)
      ? [
          { kind: "remove", id: victim },
          { ...add, kind: "addVoter" },
        ]
      : [add];
  }
}
