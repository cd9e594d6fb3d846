import type { LoadSignal } from "./broker-load.ts";
import { latencyProposalOf, type Proposal, proposalOf } from "./proposal.ts";
import type { ScalingDecision, ScalingObservation, ScalingReason } from "./scaling-decision.ts";
import { resolveScalingOptions, type ScalingOptions } from "./scaling-options.ts";

/** What was wanted at an instant. */
interface Wish {
  readonly atMs: number;
  readonly brokers: number;
}

/**
 * Says how many brokers a cluster needs. It looks at nothing by itself: call {@link Autoscaler.decide} every 15 s or so,
 * on the leader only, with what is there, and carry out what it says. It remembers what was wanted over the last
 * windows; one that has just begun removes nothing until it has looked for a whole one.
 *
 * The order: what each signal proposes, the greatest of them; the windows (the least that was wanted in the one for
 * adding, the most in the one for removing); steps a period and the wait after adding; least, most, quorum; pause.
 */
export class Autoscaler {
  readonly #options: ScalingOptions;
  /** Within the longer window, in order of time. */
  #wishes: Wish[] = [];
  #sinceMs: number | undefined;

  /** @throws {RangeError} naming the option that is out of range */
  constructor(options: Partial<ScalingOptions> = {}) {
    this.#options = resolveScalingOptions(options);
  }

  /**
   * Decides. O(brokers + wishes remembered).
   *
   * @param observation - its `nowMs` never goes back; one that does counts as the instant before
   */
  decide(observation: ScalingObservation): ScalingDecision {
    const { loads, creating, nowMs, manual } = observation;
    const current = loads.length + creating;
    const proposals = this.#proposalsFor(observation);
    const reasons: ScalingReason[] = [];
    const wanted = manual ?? wantedBy(proposals, current, reasons);
    if (manual !== undefined) reasons.push("Manual");
    const atMs = Math.max(nowMs, this.#wishes.at(-1)?.atMs ?? nowMs);
    this.#note({ atMs, brokers: wanted });
    let desired = manual === undefined ? this.#stabilised(wanted, current, atMs, reasons) : wanted;
    desired = this.#limited(desired, observation, reasons);
    desired = this.#bounded(desired, observation, reasons);
    if (isPaused(observation, desired, current)) {
      reasons.push("Paused");
      desired = current;
    }
    return { atMs, current, desired, wanted, proposals, reasons };
  }

  #proposalsFor({ loads, creating, nowMs }: ScalingObservation): Proposal[] {
    const { tolerance, warmUpMs, targetCpu, targetMemory, targetConnections, ackP95MsMax } = this.#options;
    const common = { loads, inFlight: creating, tolerance, nowMs, warmUpMs };
    const targets: readonly (readonly [LoadSignal, number])[] = [
      ["cpu", targetCpu],
      ["memory", targetMemory],
      ["agentConnections", targetConnections],
    ];
    return [
      ...targets.map(([signal, target]) => proposalOf(signal, { ...common, target })),
      latencyProposalOf({ loads, inFlight: creating, target: ackP95MsMax }),
    ];
  }

  #note(wish: Wish): void {
    this.#sinceMs ??= wish.atMs;
    this.#wishes.push(wish);
    const { outWindowMs, inWindowMs } = this.#options;
    const oldestMs = wish.atMs - Math.max(outWindowMs, inWindowMs);
    // The last one before the window says what was wanted when it began.
    const first = this.#wishes.findLastIndex(({ atMs }) => atMs <= oldestMs);
    if (first > 0) this.#wishes = this.#wishes.slice(first);
  }

  /** What was wanted throughout a window. */
  #stabilised(wanted: number, current: number, nowMs: number, reasons: ScalingReason[]): number {
    const { outWindowMs, inWindowMs } = this.#options;
    if (wanted > current) {
      const least = Math.min(...this.#wishesSince(nowMs - outWindowMs));
      const seen = nowMs - this.#sinceMs! >= outWindowMs ? least : Math.min(least, current);
      if (seen < wanted) reasons.push("StabilizedOut");
      return Math.max(current, seen);
    }
    if (wanted < current) {
      const most = Math.max(...this.#wishesSince(nowMs - inWindowMs));
      const seen = nowMs - this.#sinceMs! >= inWindowMs ? most : Math.max(most, current);
      if (seen > wanted) reasons.push("StabilizedIn");
      return Math.min(current, seen);
    }
    return wanted;
  }

  #wishesSince(startMs: number): number[] {
    const first = this.#wishes.findLastIndex(({ atMs }) => atMs <= startMs);
    return this.#wishes.slice(Math.max(first, 0)).map(({ brokers }) => brokers);
  }

  /** What a period may bring, and what must be over before. */
  #limited(
    desired: number,
    { loads, creating, removing, changes, nowMs }: ScalingObservation,
    reasons: ScalingReason[],
  ): number {
    const current = loads.length + creating;
    const { outStepBrokers, outStepShare, outPeriodMs, inPeriodMs, inAfterOutMs } = this.#options;
    if (desired > current) {
      if (removing > 0) return because("ProvisioningInFlight", current, reasons);
      const added = sumOf(changes, nowMs - outPeriodMs, 1);
      const before = current - added;
      const most = before + Math.max(outStepBrokers, Math.floor(before * outStepShare));
      return desired > most ? because("PolicyLimited", Math.max(current, most), reasons) : desired;
    }
    if (desired < current) {
      if (creating + removing > 0) return because("ProvisioningInFlight", current, reasons);
      if (sumOf(changes, nowMs - inAfterOutMs, 1) > 0) return because("CoolingDown", current, reasons);
      if (sumOf(changes, nowMs - inPeriodMs, -1) < 0) return because("PolicyLimited", current, reasons);
      return desired < current - 1 ? because("PolicyLimited", current - 1, reasons) : desired;
    }
    return desired;
  }

  #bounded(
    desired: number,
    { replicationFactor, voters, loads, creating }: ScalingObservation,
    reasons: ScalingReason[],
  ): number {
    const { minBrokers, maxBrokers } = this.#options;
    const current = loads.length + creating;
    if (desired > maxBrokers) return because("AtMax", maxBrokers, reasons);
    const quorum = Math.max(replicationFactor, voters);
    // Too few already is no reason to remove more, nor do those that are wanted for safety wait for a window.
    if (desired < quorum && desired < current)
      desired = because("QuorumGuard", Math.min(quorum, current), reasons);
    return desired < minBrokers ? because("AtMin", minBrokers, reasons) : desired;
  }
}

function because(reason: ScalingReason, brokers: number, reasons: ScalingReason[]): number {
  reasons.push(reason);
  return brokers;
}

/** The greatest number that a signal proposes; what is missing keeps it from being fewer than there are. */
function wantedBy(proposals: readonly Proposal[], current: number, reasons: ScalingReason[]): number {
  const numbers = proposals.map(({ brokers }) => brokers).filter((brokers) => brokers !== undefined);
  if (numbers.length === 0) return because("NoMetrics", current, reasons);
  const wanted = Math.max(...numbers);
  const isBlind = proposals.some(({ signal, missing }) => signal !== "ackP95Ms" && missing > 0);
  if (wanted < current && isBlind) return because("MissingMetrics", current, reasons);
  return because(wanted === current ? "WithinTolerance" : "AsWanted", wanted, reasons);
}

/** Brokers added since an instant, or with `sign` −1 those removed, as a number below zero. */
function sumOf(changes: ScalingObservation["changes"], sinceMs: number, sign: 1 | -1): number {
  let sum = 0;
  for (const { atMs, brokers } of changes) if (atMs > sinceMs && brokers * sign > 0) sum += brokers;
  return sum;
}

function isPaused({ pause }: ScalingObservation, desired: number, current: number): boolean {
  if (desired > current) return pause === "out" || pause === "all";
  return desired < current && (pause === "in" || pause === "all");
}
