import { readFile } from "node:fs/promises";
import path from "node:path";
import { ReasonSchema } from "@mon/proto";
import { describe, expect, it } from "vitest";
import { readmeSnippets, runSnippet, snippetTypeErrors } from "../../../tools/build/readme-snippets.ts";
import { defaultBatcherOptions, defaultRules } from "../src/index.ts";

const root = path.join(import.meta.dirname, "..");
const readme = await readFile(path.join(root, "README.md"), "utf8");
const snippets = await readmeSnippets(root);

/** Rows of the README's tables, by the first cell's names. */
function rows(): Map<string, string[]> {
  const table = [...readme.matchAll(/^\| (`.*?) +\|(.*)\|$/gm)];
  return new Map(
    table.flatMap(([, names, rest]) =>
      [...names!.matchAll(/`(\w+)`/g)].map((name) => [name[1]!, rest!.split("|").map((cell) => cell.trim())]),
    ),
  );
}

describe("the README", () => {
  it("has snippets that type-check", async () => {
    expect(snippets).toHaveLength(3);
    expect(await snippetTypeErrors(root, snippets)).toBe("");
  });

  it.each(snippets)("says at line $line what its snippet prints", async ({ code, prints }) => {
    expect(await runSnippet(root, code)).toEqual(prints);
  });

  it("lists every reason of the protocol", () => {
    const reasons = ReasonSchema.values.map(({ name }) => name.replace("REASON_", "").toLowerCase());
    const listed = [...rows()]
      .filter(([, [what]]) => /^(report|batch|sample)$/.test(what!))
      .map(([name]) => name);
    expect(listed).toEqual(reasons.filter((name) => name !== "unspecified"));
  });

  it("lists every rule and option with its default", () => {
    const shown = (value: unknown): string =>
      typeof value === "number" ? value.toLocaleString("en") : Array.isArray(value) ? "none" : `\`${value}\``;
    for (const [name, value] of Object.entries({ ...defaultRules, ...defaultBatcherOptions })) {
      expect([name, rows().get(name)?.[0]]).toEqual([name, shown(value)]);
    }
  });
});
