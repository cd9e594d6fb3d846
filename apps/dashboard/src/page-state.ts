import { RANGES, type RangeId } from "./step.ts";

/** Columns by which hosts are sorted. */
export type SortColumn = "host" | "seen" | "cpu" | "memory" | "load" | "disk" | "uptime" | "series";

const SORT_COLUMNS: readonly string[] = [
  "host",
  "seen",
  "cpu",
  "memory",
  "load",
  "disk",
  "uptime",
  "series",
] satisfies SortColumn[];

/** An order of hosts. */
export interface Sort {
  readonly column: SortColumn;
  readonly descending: boolean;
}

/** What of the page can be linked to. */
export interface PageState {
  /** Chosen hosts, in the order in which they were chosen; at most {@link HOSTS_MAX}. Empty for the page's choice. */
  readonly hosts: readonly string[];
  /** The metric that is explored; empty for the page's choice. */
  readonly metric: string;
  /** Which of the metric's series: text that their labels contain. */
  readonly series: string;
  readonly range: RangeId;
  /** Text that host ids contain. */
  readonly search: string;
  readonly sort: Sort;
}

/** The most hosts that are compared: as many as there are colours. */
export const HOSTS_MAX = 8;

/** The page without a hash. */
export const INITIAL_STATE: PageState = {
  hosts: [],
  metric: "",
  series: "",
  range: "5m",
  search: "",
  sort: { column: "host", descending: false },
};

const HOST_ID = /^[A-Za-z0-9][A-Za-z0-9._-]{0,127}$/;

/** Reads a state from a URL's hash. What is missing or makes no sense is as in {@link INITIAL_STATE}. */
export function stateFromHash(hash: string): PageState {
  const fields = new URLSearchParams(hash.replace(/^#/, ""));
  const hosts = (fields.get("hosts") ?? "").split(",").filter((host) => HOST_ID.test(host));
  const [column = "", direction] = (fields.get("sort") ?? "").split(":");
  return {
    hosts: [...new Set(hosts)].slice(0, HOSTS_MAX),
    metric: fields.get("metric") ?? "",
    series: fields.get("series") ?? "",
    range: RANGES.find((range) => range.id === fields.get("range"))?.id ?? INITIAL_STATE.range,
    search: fields.get("q") ?? "",
    sort: isSortColumn(column) ? { column, descending: direction === "desc" } : INITIAL_STATE.sort,
  };
}

function isSortColumn(column: string): column is SortColumn {
  return SORT_COLUMNS.includes(column);
}

/** Writes a state as a URL's hash; empty when all is as in {@link INITIAL_STATE}. */
export function hashFromState(state: PageState): string {
  const fields = new URLSearchParams();
  if (state.hosts.length > 0) fields.set("hosts", state.hosts.join(","));
  if (state.metric !== "") fields.set("metric", state.metric);
  if (state.series !== "") fields.set("series", state.series);
  if (state.range !== INITIAL_STATE.range) fields.set("range", state.range);
  if (state.search !== "") fields.set("q", state.search);
  const { column, descending } = state.sort;
  if (column !== INITIAL_STATE.sort.column || descending)
    fields.set("sort", descending ? `${column}:desc` : column);
  // Commas need no escape in a fragment, and a readable link is a better link.
  const text = fields.toString().replaceAll("%2C", ",").replaceAll("%3A", ":");
  return text === "" ? "" : `#${text}`;
}
