import { StoreError } from "./errors.ts";
import { compileExpression, type Expression } from "./expression.ts";
import type { Series } from "./sample.ts";

/** How a matcher compares, in Prometheus's spelling. */
export type MatchType = "=" | "!=" | "=~" | "!~";

/** A condition on a series. */
export interface Matcher {
  /** The label compared; `__name__` is the metric's name, `__host__` the host's id. An absent label is `""`. */
  readonly label: string;
  readonly type: MatchType;
  /** What it is compared with. Regular expressions are RE2's and must match the whole value. */
  readonly value: string;
}

/** Bounds on a set of matchers: 64 that a caller gives, and one for the name that it gives apart. */
export const matcherLimits = { matchers: 65, valueLength: 4_096 } as const;

/** A matcher ready to be asked. */
export interface Condition {
  readonly label: string;
  /** Texts that decide: those that match, or with {@link Condition.isNegated} those that do not. */
  readonly literals: ReadonlySet<string> | undefined;
  readonly isNegated: boolean;
  /** Whether {@link Condition.test} runs an expression, which costs a hundred times what comparing texts does. */
  readonly runs: boolean;
  test(text: string): boolean;
}

/** Matchers ready to be asked. */
export interface CompiledMatchers {
  /** What a host's id must meet. */
  readonly onHost: readonly Condition[];
  /** What a series must meet; the label `__name__` is its name. */
  readonly onSeries: readonly Condition[];
  /** Whether a host can have matching series: the conditions on `__host__` hold. */
  matchesHost(hostId: string): boolean;
  /** Whether a series matches, the conditions on `__host__` apart. */
  matchesSeries(series: Pick<Series, "name" | "labels">): boolean;
}

/**
 * Compiles matchers. All of them must hold. Matching is linear in the value's length whatever the expression, because
 * RE2 does not backtrack; an expression that is a text, alternatives of texts, or the beginning of one is not run at all.
 *
 * @throws {StoreError} STORE_MATCHER_INVALID
 */
export function compileMatchers(matchers: readonly Matcher[]): CompiledMatchers {
  if (matchers.length > matcherLimits.matchers) {
    throw new StoreError(
      "STORE_MATCHER_INVALID",
      `expected at most ${matcherLimits.matchers} matchers, got ${matchers.length}`,
    );
  }
  const [onHost, onSeries]: [Condition[], Condition[]] = [[], []];
  for (const matcher of matchers)
    (matcher.label === "__host__" ? onHost : onSeries).push(conditionOf(matcher));
  return {
    onHost,
    onSeries,
    matchesHost: (hostId) => onHost.every((condition) => condition.test(hostId)),
    matchesSeries: (series) => onSeries.every((condition) => condition.test(textOf(series, condition.label))),
  };
}

/** What a matcher on a label compares: the name for `__name__`, the empty text for a label that the series lacks. */
export function textOf(series: Pick<Series, "name" | "labels">, label: string): string {
  if (label === "__name__") return series.name;
  for (const { name, value } of series.labels) if (name === label) return value;
  return "";
}

function conditionOf({ label, type, value }: Matcher): Condition {
  if (value.length > matcherLimits.valueLength) {
    throw new StoreError(
      "STORE_MATCHER_INVALID",
      `expected a value of at most ${matcherLimits.valueLength} characters for ${label}, got ${value.length}`,
    );
  }
  switch (type) {
    case "=":
    case "!=": {
      const isNegated = type === "!=";
      const test = (text: string): boolean => (text === value) !== isNegated;
      return { label, literals: new Set([value]), isNegated, runs: false, test };
    }
    case "=~":
    case "!~": {
      const isNegated = type === "!~";
      const { literals, runs, matches } = expressionOf(label, value);
      return { label, literals, isNegated, runs, test: (text) => matches(text) !== isNegated };
    }
    default:
      throw new StoreError(
        "STORE_MATCHER_INVALID",
        `expected =, !=, =~ or !~ for ${label}, got ${String(type satisfies never)}`,
      );
  }
}

function expressionOf(label: string, expression: string): Expression {
  try {
    return compileExpression(expression);
  } catch (cause) {
    const reason = cause instanceof Error ? cause.message : String(cause);
    throw new StoreError(
      "STORE_MATCHER_INVALID",
      `expected a regular expression of RE2 for ${label}, got ${expression}: ${reason}`,
      { cause },
    );
  }
}
