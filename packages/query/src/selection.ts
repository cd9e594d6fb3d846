import { type CompiledMatchers, compileMatchers, type Matcher, matcherLimits, StoreError } from "@mon/store";
import { invalidField } from "./errors.ts";

/** Which series are meant. All conditions must hold. */
export interface Selection {
  /** Hosts by id; absent for all. Combined with matchers on `__host__`. */
  readonly hostIds?: readonly string[];
  /** Metric name; absent for all. Combined with matchers on `__name__`. */
  readonly name?: string;
  /** Further conditions; at most 64, of which a {@link Selection.name} takes one. */
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
  if (all.length > matcherLimits.matchers) {
    const most = matcherLimits.matchers - (all.length - matchers.length);
    throw invalidField("matchers", `to be at most ${most}`, matchers.length);
  }
  try {
    return { matchers: all, ...compileMatchers(all) };
  } catch (cause) {
    if (!(cause instanceof StoreError)) throw cause;
    throw invalidField("matchers", "to be valid", cause.message, { cause });
  }
}
