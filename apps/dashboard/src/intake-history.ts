import type { StatusResponse } from "@mon/proto";

/** What one look at a broker's intake said. */
export interface IntakePoint {
  readonly timeMs: number;
  readonly samplesPerSecond: number;
  readonly ackP50Ms: number | null;
  readonly ackP99Ms: number | null;
  /** Rejections since the broker started, by reason. */
  readonly rejections: ReadonlyMap<number, number>;
  /** Milliseconds since the broker started: less than before means that it was restarted. */
  readonly uptimeMs: number;
}

/** Looks that are kept: an hour at one every two seconds. The oldest go first. */
export const POINTS_MAX = 1_800;

/** One look at a broker's intake. Latencies are null while nothing was measured. */
export function pointFromStatus(status: StatusResponse): IntakePoint {
  const intake = status.intake;
  const latency = intake?.ackLatency;
  const measured = latency !== undefined && latency.count > 0n;
  return {
    timeMs: Number(status.timeMs),
    samplesPerSecond: intake?.samplesPerSecond ?? 0,
    ackP50Ms: measured ? latency.p50Ms : null,
    ackP99Ms: measured ? latency.p99Ms : null,
    rejections: new Map((intake?.rejections ?? []).map(({ reason, count }) => [reason, Number(count)])),
    uptimeMs: Number(status.uptimeMs),
  };
}

/** The history with one more look, without the oldest when it is full. A look that is not newer replaces the last. */
export function withPoint(history: readonly IntakePoint[], point: IntakePoint): IntakePoint[] {
  const before = history.at(-1);
  const kept = before !== undefined && before.timeMs >= point.timeMs ? history.slice(0, -1) : history;
  return [...kept.slice(-(POINTS_MAX - 1)), point];
}

/**
 * How often each reason was counted over the past `spanMs`, without reasons that were not. Counters that began again
 * with a restart count from zero.
 */
export function recentRejections(history: readonly IntakePoint[], spanMs: number): Map<number, number> {
  const last = history.at(-1);
  const recent = new Map<number, number>();
  if (last === undefined) return recent;
  const span = history.filter((point) => point.timeMs >= last.timeMs - spanMs);
  for (const [at, point] of span.slice(1).entries()) {
    const before = span[at]!;
    const restarted = point.uptimeMs < before.uptimeMs;
    for (const [reason, count] of point.rejections) {
      const rise = count - (restarted ? 0 : (before.rejections.get(reason) ?? 0));
      if (rise > 0) recent.set(reason, (recent.get(reason) ?? 0) + rise);
    }
  }
  return recent;
}
