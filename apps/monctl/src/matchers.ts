import { MatchType } from "@mon/proto";
import { type MatchOperator, parseSelector } from "./selector.ts";

/** The part of a request that says which series are meant. */
export interface SeriesChoice {
  /** Empty for any. */
  name: string;
  matchers: { label: string; type: MatchType; value: string }[];
}

const types: Readonly<Record<MatchOperator, MatchType>> = {
  "=": MatchType.EQUAL,
  "!=": MatchType.NOT_EQUAL,
  "=~": MatchType.REGEXP,
  "!~": MatchType.NOT_REGEXP,
};

/**
 * Turns a selector into what a request carries; none means every series.
 *
 * @throws {MonctlError} MONCTL_USAGE when it is no selector
 */
export function matchersFromSelector(text: string | undefined): SeriesChoice {
  if (text === undefined) return { name: "", matchers: [] };
  const { name, matchers } = parseSelector(text);
  return {
    name,
    matchers: matchers.map(({ label, operator, value }) => ({ label, type: types[operator], value })),
  };
}
