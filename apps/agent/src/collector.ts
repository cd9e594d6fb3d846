import type { SampleInput } from "@mon/client";

/** What a collector may be called. */
export const collectorNames = [
  "cpu",
  "load",
  "memory",
  "swap",
  "disk",
  "filesystem",
  "network",
  "process",
  "uptime",
] as const;

/** The name of a collector, as `--include` and `--exclude` take it. */
export type CollectorName = (typeof collectorNames)[number];

/** Reads one part of the machine. */
export interface Collector {
  readonly name: CollectorName;
  /**
   * Reads now. A collector that needs two readings for a value leaves that value out of its first.
   *
   * @throws whatever makes the reading impossible; the next call tries again
   */
  collect(): readonly SampleInput[] | Promise<readonly SampleInput[]>;
}
