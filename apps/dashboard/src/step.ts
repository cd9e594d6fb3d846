/** A span of time that ends now. */
export interface Range {
  readonly id: RangeId;
  readonly durationMs: number;
  readonly label: string;
}

/** Names of the spans of time that the page offers. */
export type RangeId = "5m" | "15m" | "1h" | "6h" | "24h";

/** The spans of time that the page offers, shortest first. */
export const RANGES: readonly Range[] = [
  { id: "5m", durationMs: 300_000, label: "5 m" },
  { id: "15m", durationMs: 900_000, label: "15 m" },
  { id: "1h", durationMs: 3_600_000, label: "1 h" },
  { id: "6h", durationMs: 21_600_000, label: "6 h" },
  { id: "24h", durationMs: 86_400_000, label: "24 h" },
];

/** The instants at which a chart has values: start, start + step, … , end. */
export interface Grid {
  readonly startMs: number;
  readonly endMs: number;
  readonly stepMs: number;
}

/** Steps that people can follow on a time axis. */
const STEPS_MS = [
  1_000, 2_000, 5_000, 10_000, 15_000, 30_000, 60_000, 120_000, 300_000, 600_000, 1_800_000, 3_600_000,
];

/** Closer than this, neighbouring values cannot be told apart. */
const PX_PER_VALUE = 2.5;

/** How values come to be: their span of time, the room to draw them and the rhythm of the samples behind them. */
export interface StepOptions {
  readonly rangeMs: number;
  /** Width of the plot in CSS pixels. */
  readonly widthPx: number;
  /** Between two samples of a series; null while not known. */
  readonly intervalMs: number | null;
  /** Whether the values are rates, each of which needs two samples in its window. */
  readonly rate: boolean;
}

/**
 * The distance of two values on a chart: what the width has room for, but no less than the samples can fill (one in
 * a window, two for a rate), rounded up to a step that people can follow.
 */
export function chooseStep({ rangeMs, widthPx, intervalMs, rate }: StepOptions): number {
  const byWidth = (rangeMs / Math.max(1, widthPx)) * PX_PER_VALUE;
  // Samples come a little early and late: nine tenths of an interval keep a steady 1 s rhythm at a step of 1 s.
  const bySamples = (intervalMs ?? 0) * 0.9 * (rate ? 2 : 1);
  const wanted = Math.max(byWidth, bySamples);
  return STEPS_MS.find((stepMs) => stepMs >= wanted) ?? Math.ceil(wanted / 3_600_000) * 3_600_000;
}

/**
 * The instants of a chart that ends now, on multiples of the step: windows keep their place as time goes on, so lines
 * do not tremble. The window that is still filling is left out.
 */
export function gridUntil(nowMs: number, rangeMs: number, stepMs: number): Grid {
  const endMs = Math.floor(nowMs / stepMs) * stepMs;
  return { startMs: endMs - Math.floor(rangeMs / stepMs) * stepMs, endMs, stepMs };
}

/** How long to wait before a chart is asked for again: half a step, between 2 s and 30 s. */
export function refreshMs(stepMs: number): number {
  return Math.min(30_000, Math.max(2_000, stepMs / 2));
}
