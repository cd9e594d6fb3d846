/** What an autoscaler aims at and how fast it may go. All fields have defaults, see {@link defaultScalingOptions}. */
export interface ScalingOptions {
  /** Brokers that there are at least, 3. The replication factor and the number of voters raise it. */
  readonly minBrokers: number;
  /** Brokers that there are at most, 9. */
  readonly maxBrokers: number;
  /** Share of a broker's processor time that is aimed at, 0.7. Low values pay for idle machines, high ones for queues. */
  readonly targetCpu: number;
  /** Share of a broker's memory that is aimed at, 0.75. */
  readonly targetMemory: number;
  /** Agent connections a broker that are aimed at, 5,000. */
  readonly targetConnections: number;
  /** 95th percentile of the time to an ack above which one broker is added, 200 ms. It never takes one away. */
  readonly ackP95MsMax: number;
  /** How far from its target a signal may be before anything is done, as a share of the target, 0.1. */
  readonly tolerance: number;
  /** A broker that is younger has yet to take its share: it counts as idle when adding, not at all when removing, 120,000 ms. */
  readonly warmUpMs: number;
  /** Brokers are added when they were wanted for all of this time, 30,000 ms. */
  readonly outWindowMs: number;
  /** Brokers are removed when they were not wanted for all of this time, 300,000 ms. */
  readonly inWindowMs: number;
  /** Within {@link outPeriodMs} at most so many brokers are added, 2, or ... */
  readonly outStepBrokers: number;
  /** ... this share of those there were, whichever is more, 0.5. */
  readonly outStepShare: number;
  /** The period of {@link outStepBrokers}, 60,000 ms. */
  readonly outPeriodMs: number;
  /** One broker is removed in so much time, 300,000 ms. */
  readonly inPeriodMs: number;
  /** After a broker was added none is removed for so long, 600,000 ms. */
  readonly inAfterOutMs: number;
}

/** What holds where an option is not given. */
export const defaultScalingOptions: ScalingOptions = Object.freeze({
  minBrokers: 3,
  maxBrokers: 9,
  targetCpu: 0.7,
  targetMemory: 0.75,
  targetConnections: 5_000,
  ackP95MsMax: 200,
  tolerance: 0.1,
  warmUpMs: 120_000,
  outWindowMs: 30_000,
  inWindowMs: 300_000,
  outStepBrokers: 2,
  outStepShare: 0.5,
  outPeriodMs: 60_000,
  inPeriodMs: 300_000,
  inAfterOutMs: 600_000,
});

const day = 86_400_000;

const ranges: Readonly<Record<keyof ScalingOptions, readonly [min: number, max: number]>> = {
  minBrokers: [1, 1_000],
  maxBrokers: [1, 1_000],
  targetCpu: [0.05, 1],
  targetMemory: [0.05, 1],
  targetConnections: [1, 1_000_000],
  ackP95MsMax: [1, 600_000],
  tolerance: [0, 0.5],
  warmUpMs: [0, day],
  outWindowMs: [0, day],
  inWindowMs: [0, day],
  outStepBrokers: [1, 1_000],
  outStepShare: [0, 10],
  outPeriodMs: [0, day],
  inPeriodMs: [0, day],
  inAfterOutMs: [0, day],
};

/** Fills in the defaults. @throws {RangeError} naming the option that is out of range, with the value it got */
export function resolveScalingOptions(options: Partial<ScalingOptions> = {}): ScalingOptions {
  const resolved = { ...defaultScalingOptions, ...options };
  for (const [name, [min, max]] of Object.entries(ranges)) {
    // Object.entries forgets that the names are those of `ranges`.
    const value = resolved[name as keyof ScalingOptions];
    if (value >= min && value <= max) continue;
    throw new RangeError(`expected ${name} from ${min} to ${max}, got ${value}`);
  }
  if (resolved.minBrokers > resolved.maxBrokers) {
    const { minBrokers, maxBrokers } = resolved;
    throw new RangeError(`expected minBrokers of at most maxBrokers, ${maxBrokers}, got ${minBrokers}`);
  }
  return resolved;
}
