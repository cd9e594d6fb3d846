/** What one run of a check found; the worst of a host's checks decides. */
export type CheckStatus = "passing" | "warning" | "critical";

/** One run of a check. */
export interface CheckResult {
  readonly checkId: string;
  readonly status: CheckStatus;
  /** When it began, milliseconds since the Unix epoch. */
  readonly atMs: number;
  readonly durationMs: number;
  /** What it said: at most 4 KB, for people. */
  readonly output: string;
}

/** After how many equal results in a row a check's status changes. */
export interface CheckThresholds {
  /** Results that are not critical before a critical check is no longer, 2. */
  readonly successes: number;
  /** Critical results before a check is critical, 3. The first status obeys it too. */
  readonly failures: number;
}

/** What holds where a threshold is not given. */
export const defaultCheckThresholds: CheckThresholds = Object.freeze({ successes: 2, failures: 3 });

/** A check as its results so far leave it. Never changed, but replaced. */
export interface CheckState {
  /** Undefined until enough results agree. */
  readonly status: CheckStatus | undefined;
  /** Results in a row that were not critical. */
  readonly successes: number;
  /** Results in a row that were. */
  readonly failures: number;
  readonly last: CheckResult | undefined;
}

/** A check that never ran. */
export const newCheck: CheckState = Object.freeze({
  status: undefined,
  successes: 0,
  failures: 0,
  last: undefined,
});

/**
 * A check after one more result. It is critical after `failures` critical results in a row, and no longer after
 * `successes` others; between passing and warning it changes at once. A result older than the last changes nothing.
 */
export function afterResult(
  check: CheckState,
  result: CheckResult,
  { successes, failures }: CheckThresholds = defaultCheckThresholds,
): CheckState {
  if (check.last !== undefined && result.atMs < check.last.atMs) return check;
  if (result.status === "critical") {
    const count = check.failures + 1;
    const status = count >= failures ? "critical" : check.status;
    return { status, successes: 0, failures: count, last: result };
  }
  const count = check.successes + 1;
  const isKept = check.status !== "warning" && check.status !== "passing" && count < successes;
  return { status: isKept ? check.status : result.status, successes: count, failures: 0, last: result };
}

const order: readonly CheckStatus[] = ["passing", "warning", "critical"];

/** The worst status; undefined when none has one. */
export function worstStatus(checks: Iterable<CheckState>): CheckStatus | undefined {
  let worst = -1;
  for (const { status } of checks) if (status !== undefined) worst = Math.max(worst, order.indexOf(status));
  return order[worst];
}
