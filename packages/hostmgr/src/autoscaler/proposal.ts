import { type BrokerLoad, isReading, type LoadSignal } from "./broker-load.ts";

/** What one signal asks for. */
export interface Proposal {
  readonly signal: LoadSignal | "ackP95Ms";
  /** The mean over brokers that said something and are warm, the worst for `ackP95Ms`; undefined when none did. */
  readonly value: number | undefined;
  readonly target: number;
  /** Brokers that said nothing of it. */
  readonly missing: number;
  /** Brokers that are wanted; undefined when the signal says nothing. */
  readonly brokers: number | undefined;
}

/** What a proposal is made from. */
export interface ProposalInput {
  readonly loads: readonly BrokerLoad[];
  /** Brokers that are being made: they take their share later, and are idle until then. */
  readonly inFlight: number;
  readonly target: number;
  readonly tolerance: number;
  readonly nowMs: number;
  readonly warmUpMs: number;
}

/**
 * How many brokers bring a signal's mean to its target: brokers × mean / target, rounded up, and as many as there are
 * when that is within the tolerance. What is missing or not warm yet pulls towards doing nothing: to remove brokers it
 * counts as being at the target, to add some as idle; and when that turns more into fewer, or the other way, all stays
 * as it is.
 *
 * @see Kubernetes' Horizontal Pod Autoscaler, "Algorithm details". Unlike there, removal waits while anything is missing
 * ({@link Proposal.missing}).
 */
export function proposalOf(signal: LoadSignal, input: ProposalInput): Proposal {
  const { loads, inFlight, target, tolerance, nowMs, warmUpMs } = input;
  const current = loads.length + inFlight;
  let sum = 0;
  let measured = 0;
  let missing = 0;
  let cold = inFlight;
  for (const load of loads) {
    const reading = load[signal];
    const isCold = nowMs - load.activeSinceMs < warmUpMs;
    if (isCold) cold++;
    else if (isReading(reading)) {
      sum += reading;
      measured++;
    } else missing++;
  }
  const found = { signal, target, missing };
  if (measured === 0) return { ...found, value: undefined, brokers: undefined };
  const value = sum / measured;
  const ratio = value / target;
  const stay = { ...found, value, brokers: current };
  if (Math.abs(1 - ratio) <= tolerance) return stay;
  if (ratio > 1) {
    const tempered = sum / (measured + missing + cold) / target;
    if (tempered <= 1 + tolerance) return stay;
    return { ...found, value, brokers: Math.max(current, ceil(tempered * current)) };
  }
  const tempered = (sum + missing * target) / (measured + missing) / target;
  if (tempered >= 1 - tolerance) return stay;
  // Those not warm yet are left out: the load that is there now is what the others would have to take.
  return { ...found, value, brokers: Math.min(current, Math.max(1, ceil(tempered * (measured + missing)))) };
}

/** One broker more than there are while the slowest takes too long: latency is not in proportion to brokers. */
export function latencyProposalOf({
  loads,
  inFlight,
  target,
}: Pick<ProposalInput, "loads" | "inFlight" | "target">): Proposal {
  const readings = loads.map(({ ackP95Ms }) => ackP95Ms).filter(isReading);
  const found = { signal: "ackP95Ms", target, missing: loads.length - readings.length } as const;
  if (readings.length === 0) return { ...found, value: undefined, brokers: undefined };
  const value = Math.max(...readings);
  // One that is being made may be the answer already.
  const brokers = value > target && inFlight === 0 ? loads.length + 1 : undefined;
  return { ...found, value, brokers };
}

/** Rounds up, but for what floating point adds: 3 × 0.7 / 0.7 is three brokers. */
function ceil(brokers: number): number {
  return Math.ceil(brokers - 1e-9);
}
