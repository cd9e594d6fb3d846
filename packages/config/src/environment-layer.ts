import type { ProblemList } from "./errors.ts";
import { type Given, givenByText } from "./given.ts";
import type { Schema } from "./schema.ts";
import { unknownVariable } from "./unknown-key.ts";

/** Environment variables, as `process.env` has them. */
export type Environment = Readonly<Record<string, string | undefined>>;

/** What the environment gives, key by key. Variables without the schema's prefix are not looked at. */
export function givenByEnvironment<C>(
  schema: Schema<C>,
  environment: Environment,
  problems: ProblemList,
): Given[] {
  const given: Given[] = [];
  for (const [variable, text] of Object.entries(environment)) {
    if (text === undefined || !variable.startsWith(schema.environmentPrefix)) continue;
    const entry = schema.entriesByVariable.get(variable);
    if (entry === undefined) {
      if (!schema.environmentIgnored(variable)) problems.add(unknownVariable(schema, variable));
      continue;
    }
    const one = givenByText(entry, text, { origin: "environment", source: variable }, problems);
    if (one !== undefined) given.push(one);
  }
  return given;
}
