import { RE2JS } from "re2js";
import { StoreError } from "./errors.ts";
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

/** Matchers ready to be asked. */
export interface CompiledMatchers {
  /** Whether a host can have matching series: the conditions on `__host__` hold. */
  matchesHost(hostId: string): boolean;
  /** Whether a series matches, the conditions on `__host__` apart. */
  matchesSeries(series: Pick<Series, "name" | "labels">): boolean;
}

/**
 * Compiles matchers. All of them must hold. Matching is linear in the value's length whatever the expression, because
 * RE2 does not backtrack.
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
  const compiled = matchers.map((matcher) => ({ label: matcher.label, test: compile(matcher) }));
  const onHost = compiled.filter((matcher) => matcher.label === "__host__");
  const onName = compiled.filter((matcher) => matcher.label === "__name__");
  const onLabels = compiled.filter((matcher) => !onHost.includes(matcher) && !onName.includes(matcher));
  return {
    matchesHost: (hostId) => onHost.every((matcher) => matcher.test(hostId)),
    matchesSeries: (series) =>
      onName.every((matcher) => matcher.test(series.name)) &&
      onLabels.every((matcher) => matcher.test(labelValue(series, matcher.label))),
  };
}

function labelValue(series: Pick<Series, "labels">, name: string): string {
  return series.labels.find((label) => label.name === name)?.value ?? "";
}

function compile({ label, type, value }: Matcher): (text: string) => boolean {
  if (value.length > matcherLimits.valueLength) {
    throw new StoreError(
      "STORE_MATCHER_INVALID",
      `expected a value of at most ${matcherLimits.valueLength} characters for ${label}, got ${value.length}`,
    );
  }
  switch (type) {
    case "=":
      return (text) => text === value;
    case "!=":
      return (text) => text !== value;
    case "=~":
      return wholeMatch(label, value);
    case "!~": {
      const matches = wholeMatch(label, value);
      return (text) => !matches(text);
    }
    default:
      throw new StoreError(
        "STORE_MATCHER_INVALID",
        `expected =, !=, =~ or !~ for ${label}, got ${String(type satisfies never)}`,
      );
  }
}

function wholeMatch(label: string, expression: string): (text: string) => boolean {
  try {
    const pattern = RE2JS.compile(expression, RE2JS.DOTALL);
    return (text) => pattern.matches(text);
  } catch (cause) {
    const reason = cause instanceof Error ? cause.message : String(cause);
    throw new StoreError(
      "STORE_MATCHER_INVALID",
      `expected a regular expression of RE2 for ${label}, got ${expression}: ${reason}`,
      {
        cause,
      },
    );
  }
}
