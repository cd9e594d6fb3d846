import type { ProblemList } from "./errors.ts";
import type { Given } from "./given.ts";
import type { Setting } from "./origin.ts";
import { redacted, shownName, shownValue } from "./shown-value.ts";

/** A validated value and where it came from. */
export type Settled = Pick<Setting, "value" | "origin" | "source">;

/**
 * Validates what a layer gives for a key; each issue becomes a problem at its own path and line.
 *
 * @returns undefined when there was a problem
 */
export function checked(one: Given, problems: ProblemList): Settled | undefined {
  const { path, key } = one.entry.schemaKey;
  const { origin } = one;
  const secret = key.options.secret === true;
  const result = key.type.check.safeParse(one.raw);
  if (result.success) {
    const source = one.sourceAt([]);
    if (!secret || result.data !== redacted) return { value: result.data, origin, source };
    problems.add({ path, value: redacted, expected: "the secret itself", origin, source });
    return undefined;
  }
  const reported = new Set<string>();
  for (const issue of result.error.issues) {
    const unknownNames = issue.code === "unrecognized_keys" ? issue.keys : undefined;
    for (const steps of unknownNames?.map((name) => [...issue.path, name]) ?? [issue.path]) {
      const at = path + shownSteps(steps);
      if (reported.has(at)) continue;
      reported.add(at);
      const value = secret ? redacted : shownValue(valueAt(one.raw, steps));
      problems.add(
        {
          path: at,
          value: unknownNames === undefined ? value : "an unknown key",
          expected: issue.message,
          origin,
          source: one.sourceAt(steps),
        },
        path,
      );
    }
  }
  return undefined;
}

function shownSteps(steps: readonly PropertyKey[]): string {
  return steps
    .map((step) => (typeof step === "number" ? `[${step}]` : `.${shownName(String(step))}`))
    .join("");
}

function valueAt(raw: unknown, steps: readonly PropertyKey[]): unknown {
  return steps.reduce<unknown>(
    (value, step) =>
      typeof value === "object" && value !== null && Object.hasOwn(value, step)
        ? (value as Record<PropertyKey, unknown>)[step]
        : undefined,
    raw,
  );
}
