import type { HostRow } from "./host.ts";
import { HOSTS_MAX } from "./page-state.ts";

/** The most hosts that the page chooses by itself: enough to compare, few enough to read. */
const OWN_CHOICE_MAX = 4;

/**
 * Hosts whose charts are shown: the chosen ones, else the first few by id that report, else the first few.
 *
 * @param chosen - ids that somebody chose; unknown ones stay, they may come back
 */
export function chosenHosts(rows: readonly HostRow[], chosen: readonly string[]): readonly string[] {
  if (chosen.length > 0) return chosen;
  const reporting = rows.filter((row) => row.freshness === "fresh" || row.freshness === "stale");
  const from = reporting.length > 0 ? reporting : rows;
  return from
    .map((row) => row.id)
    .sort((a, b) => a.localeCompare(b, "en", { numeric: true }))
    .slice(0, OWN_CHOICE_MAX);
}

/** The choice after a click on a host: in or out. When all places are taken the oldest choice makes room. */
export function choiceAfterClick(chosen: readonly string[], hostId: string): string[] {
  if (chosen.includes(hostId)) return chosen.filter((id) => id !== hostId);
  return [...chosen, hostId].slice(-HOSTS_MAX);
}
