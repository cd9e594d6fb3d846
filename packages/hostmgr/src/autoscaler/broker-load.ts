/** What a broker says of its load, averaged over the last minute. What it does not say is missing, not zero. */
export interface BrokerLoad {
  readonly nodeId: string;
  /** When it became active, milliseconds since the Unix epoch. */
  readonly activeSinceMs: number;
  /** Share of its processor time, 0 to 1. */
  readonly cpu?: number | undefined;
  /** Share of its memory, 0 to 1. */
  readonly memory?: number | undefined;
  readonly agentConnections?: number | undefined;
  /** 95th percentile of the time from a report's arrival to its ack, in milliseconds. */
  readonly ackP95Ms?: number | undefined;
}

/** What is averaged over brokers. */
export type LoadSignal = "cpu" | "memory" | "agentConnections";

/** Whether a signal's value is one: a finite number that is not negative. */
export function isReading(value: number | undefined): value is number {
  return value !== undefined && Number.isFinite(value) && value >= 0;
}
