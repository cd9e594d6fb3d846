import type { HostRow } from "./host.ts";
import type { Sort } from "./page-state.ts";

/** The figure that a column sorts by; undefined where the host has none. */
function figureOf(row: HostRow, column: Exclude<Sort["column"], "host">): number | undefined {
  switch (column) {
    case "seen":
      return row.lastSeenMs;
    case "series":
      return row.series;
    default:
      return row.vitals[column];
  }
}

const collator = new Intl.Collator("en", { numeric: true });

/**
 * Hosts whose id contains `search`, in any case, in the given order. `web-2` stands before `web-10`; hosts without the
 * figure stand last in both directions; equals stand by id. O(n log n).
 */
export function listHosts(rows: Iterable<HostRow>, search: string, sort: Sort): HostRow[] {
  const needle = search.trim().toLowerCase();
  const found = [...rows].filter((row) => row.id.toLowerCase().includes(needle));
  const sign = sort.descending ? -1 : 1;
  const { column } = sort;
  if (column === "host") return found.sort((a, b) => sign * collator.compare(a.id, b.id));
  return found.sort((a, b) => {
    const left = figureOf(a, column);
    const right = figureOf(b, column);
    if (left === right) return collator.compare(a.id, b.id);
    if (left === undefined) return 1;
    if (right === undefined) return -1;
    return sign * (left - right);
  });
}

/** The order after a click on a column's head: the other direction, or a new column in its natural one. */
export function sortAfterClick(sort: Sort, column: Sort["column"]): Sort {
  if (sort.column === column) return { column, descending: !sort.descending };
  return { column, descending: column !== "host" };
}

/** The rows that a scrolled table must draw. */
export interface RowWindow {
  readonly first: number;
  /** One past the last. */
  readonly end: number;
}

/** Rows in view and a few beyond, so that scrolling shows no gaps. */
export function rowWindow(scrollTop: number, viewHeight: number, rowHeight: number, rows: number): RowWindow {
  const beyond = 6;
  const first = Math.max(0, Math.floor(scrollTop / rowHeight) - beyond);
  const end = Math.min(rows, Math.ceil((scrollTop + viewHeight) / rowHeight) + beyond);
  return { first: Math.min(first, end), end };
}
