import { readFile } from "node:fs/promises";
import path from "node:path";
import { describe, expect, it } from "vitest";
import { readmeSnippets, runSnippet, snippetTypeErrors } from "../../../tools/build/readme-snippets.ts";
import {
  defaultCheckSchedulerOptions,
  defaultCheckThresholds,
  defaultMassFailureGuardOptions,
  defaultProberDoubtOptions,
  defaultSecondOpinionOptions,
  defaultVerdictOptions,
} from "../src/index.ts";

const root = path.join(import.meta.dirname, "..");
const readme = await readFile(path.join(root, "README.md"), "utf8");
const snippets = await readmeSnippets(root);

describe("the README", () => {
  it("has snippets that type-check", async () => {
    expect(snippets).toHaveLength(3);
    expect(await snippetTypeErrors(root, snippets)).toBe("");
  });

  it.each(snippets)("says at line $line what its snippet prints", async ({ code, prints }) => {
    expect(await runSnippet(root, code)).toEqual(prints);
  });

  it("says defaults as they are", () => {
    const defaults: Readonly<Record<string, object>> = {
      registry: { ...defaultVerdictOptions, ...defaultCheckThresholds },
      scheduler: defaultCheckSchedulerOptions,
      guard: defaultMassFailureGuardOptions,
      doubt: defaultProberDoubtOptions,
      opinions: defaultSecondOpinionOptions,
    };
    const rows = [...readme.matchAll(/^\| `(\w+)\.(\w+)` +\| ([\d.,]+) +\|/gm)];
    const shown = rows.flatMap(([, group, name, value]) => {
      const actual = new Map(Object.entries(defaults[group!] ?? {})).get(name!);
      return actual === undefined ? [] : [[name, value, Number(actual).toLocaleString("en")]];
    });
    expect(shown).toHaveLength(7);
    for (const [name, value, actual] of shown) expect([name, value]).toEqual([name, actual]);
  });
});
