import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { isOver, type ScalingAction, type ScalingWorld, stepOf } from "../../src/index.ts";

const out: ScalingAction = {
  kind: "out",
  key: "k1",
  nodeId: "b4",
  state: "planned",
  sinceMs: 0,
  attempts: 0,
};
const scaleIn: ScalingAction = {
  kind: "in",
  key: "k1",
  nodeId: "b4",
  state: "cordoned",
  sinceMs: 0,
  attempts: 0,
};
const absent: ScalingWorld = { instance: "absent", member: undefined, isHandingOver: false };

/** A provider and a cluster that do what they are told, a while later, each with its own pace. */
class World implements ScalingWorld {
  instance: ScalingWorld["instance"];
  member: ScalingWorld["member"];
  isHandingOver = false;
  created = 0;
  deleted = 0;
  #asked = "";

  constructor(instance: ScalingWorld["instance"], member: ScalingWorld["member"]) {
    this.instance = instance;
    this.member = member;
  }

  /** Asking twice for one key is asking once. */
  do(effect: "create" | "delete" | "leave" | "return" | "wait"): void {
    if (effect !== "wait") this.#asked = effect;
  }

  pass(): void {
    if (this.#asked === "create" && this.instance === "absent") {
      this.instance = "present";
      this.created++;
    } else if (this.#asked === "delete" && this.instance === "present") {
      this.instance = "absent";
      this.deleted++;
    } else if (this.#asked === "leave" && this.member === "active") this.member = "leaving";
    else if (this.member === "leaving") this.member = "left";
    else if (this.instance === "present" && this.member === undefined) this.member = "joining";
    else if (this.member === "joining") {
      this.member = "active";
      this.isHandingOver = true;
    } else this.isHandingOver = false;
  }
}

describe("an action", () => {
  it.each([
    ["out", out, new World("absent", undefined), ["creating", "booting", "joining", "rebalancing", "active"]],
    ["in", scaleIn, new World("present", "active"), ["draining", "left", "deleting", "gone"]],
  ] as const)("goes through its states when all goes well: %s", (_, first, world, expected) => {
    const states: string[] = [];
    let action: ScalingAction = first;
    for (let nowMs = 0; nowMs < 100_000 && !isOver(action); nowMs += 1_000) {
      const step = stepOf(action, world, nowMs);
      if (step.do === "commit") {
        action = step.action;
        states.push(action.state);
      } else {
        world.do(step.do);
        world.pass();
      }
    }
    expect(states).toEqual(expected);
    expect([world.created, world.deleted]).toEqual(first.kind === "out" ? [1, 0] : [0, 1]);
  });

  it("is resumed by a leader that begins anywhere, without making or losing a broker more", () => {
    fc.assert(
      fc.property(
        fc.constantFrom("out" as const, "in" as const),
        fc.array(fc.nat(2), { maxLength: 60 }),
        (kind, fates) => {
          const world = kind === "out" ? new World("absent", undefined) : new World("present", "active");
          let committed: ScalingAction = kind === "out" ? out : scaleIn;
          for (let i = 0; i < 400 && !isOver(committed); i++) {
            const step = stepOf(committed, world, i * 1_000);
            // 1: the leader dies before it does anything; 2: after it did, before it could say so.
            const fate = fates[i] ?? 0;
            if (step.do === "commit") {
              if (fate === 0) committed = step.action;
            } else {
              if (fate !== 1) world.do(step.do);
              world.pass();
            }
          }
          expect(isOver(committed)).toBe(true);
          expect([world.created, world.deleted]).toEqual(kind === "out" ? [1, 0] : [0, 1]);
        },
      ),
    );
  });

  it("takes down what did not join, and tries again with longer waits, three times in all", () => {
    let action: ScalingAction = out;
    const begun: number[] = [];
    let instance: ScalingWorld["instance"] = "absent";
    for (let nowMs = 0; nowMs < 3_600_000 && !isOver(action); nowMs += 1_000) {
      const step = stepOf(action, { ...absent, instance }, nowMs);
      if (step.do === "create") instance = "present";
      if (step.do === "delete") instance = "absent";
      if (step.do !== "commit") continue;
      if (step.action.state === "creating") begun.push(nowMs);
      action = step.action;
    }
    expect(action).toMatchObject({
      state: "failed",
      attempts: 3,
      failure: "expected it to be a member within 300000 ms",
    });
    const gaps = begun.slice(1).map((atMs, i) => atMs - begun[i]!);
    expect(gaps[0]).toBeGreaterThanOrEqual(330_000);
    expect(gaps[1]! - gaps[0]!).toBe(30_000);
    expect(instance).toBe("absent");
  });

  it("puts a broker back that does not hand over in time, and says so", () => {
    const draining: ScalingAction = { ...scaleIn, state: "draining" };
    const busy: ScalingWorld = { instance: "present", member: "leaving", isHandingOver: true };
    expect(stepOf(draining, busy, 599_999)).toEqual({ do: "leave" });
    expect(stepOf(draining, busy, 600_000)).toEqual({ do: "return" });
    expect(stepOf(draining, { ...busy, member: "active" }, 600_001)).toMatchObject({
      do: "commit",
      action: { state: "kept", failure: "expected it to hand over within 600000 ms" },
    });
  });

  it("deletes nothing that has not left", () => {
    for (const member of ["active", "leaving", "joining"] as const) {
      for (const state of ["cordoned", "draining"] as const) {
        for (const nowMs of [0, 1e9]) {
          const world: ScalingWorld = { instance: "present", member, isHandingOver: true };
          const step = stepOf({ ...scaleIn, state }, world, nowMs);
          expect(step.do === "delete" || (step.do === "commit" && step.action.state === "left")).toBe(false);
        }
      }
    }
  });

  it("waits while its provider does not answer, as long as it may", () => {
    const creating: ScalingAction = { ...out, state: "creating", attempts: 1 };
    expect(stepOf(creating, { ...absent, instance: "unknown" }, 299_999)).toEqual({ do: "create" });
    expect(stepOf(creating, { ...absent, instance: "unknown" }, 300_000)).toMatchObject({
      action: { state: "discarding" },
    });
    const discarding: ScalingAction = { ...creating, state: "discarding" };
    expect(stepOf(discarding, { ...absent, instance: "unknown" }, 9e9)).toEqual({ do: "delete" });
  });
});
