import type { HostRow } from "../../src/host.ts";

/** A host that has just reported, with the given differences. */
export function hostRow(change: Partial<HostRow>): HostRow {
  return {
    id: "web-1",
    lastSeenMs: 1_700_000_000_000,
    asOfMs: 1_700_000_000_000,
    intervalMs: 1_000,
    freshness: "fresh",
    series: 3,
    agent: "",
    vitals: {},
    recent: [],
    ...change,
  };
}
