import { type CompiledMatchers, compileMatchers, type Matcher, matcherLimits, StoreError } from "@mon/store";
import { invalidField, QueryError } from "./errors.ts";

/** Which series are meant. All conditions must hold. */
export interface Selection {
  /** Hosts by id; absent for all. Combined with matchers on `__host__`. */
  readonly hostIds?: readonly string[];
  /** Metric name; absent for all. Combined with matchers on `__name__`. */
  readonly name?: string;
  /** Further conditions; at most 64. */
  readonly matchers?: readonly Matcher[];
}

/** The conditions of a selection on names and labels, checked. */
export interface Conditions extends CompiledMatchers {
  readonly matchers: readonly Matcher[];
}

/** @throws {QueryError} QUERY_INVALID naming the field; its cause is the {@link StoreError} of a matcher, if any */
export function conditionsOf({ name, matchers = [] }: Selection): Conditions {
  const all: readonly Matcher[] =
    name === undefined ? matchers : [{ label: "__name__", type: "=", value: name }, ...matchers];
  // One place is the name's, whether it is given or not.
  const most = matcherLimits.matchers - 1;
  if (matchers.length > most) throw invalidField("matchers", `to be at most ${most}`, matchers.length);
  try {
    return { matchers: all, ...compileMatchers(all) };
  } catch (cause) {
    if (!(cause instanceof StoreError)) throw cause;
    throw new QueryError("QUERY_INVALID", `matchers: ${cause.message}`, { cause, field: "matchers" });
  }
}
