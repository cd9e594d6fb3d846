import { readFile } from "node:fs/promises";
import path from "node:path";
import { describe, expect, it } from "vitest";
import { readmeSnippets, runSnippet, snippetTypeErrors } from "../../../tools/build/readme-snippets.ts";
import { defaults } from "../src/index.ts";

const root = path.join(import.meta.dirname, "..");
const readme = await readFile(path.join(root, "README.md"), "utf8");
const errors = await readFile(path.join(root, "src/errors.ts"), "utf8");
const snippets = await readmeSnippets(root);

/** The first two cells of the README's table rows whose first one is code. */
const rows = new Map(
  [...readme.matchAll(/^\| `(\w+)` *\| (.*?) *\|/gm)].map((row): [string, string] => [row[1]!, row[2]!]),
);

describe("the README", () => {
  it("has snippets that type-check", async () => {
    expect(snippets).toHaveLength(3);
    expect(await snippetTypeErrors(root, snippets)).toBe("");
  });

  it.each(snippets)("says at line $line what its snippet prints", async ({ code, prints }) => {
    expect(await runSnippet(root, code)).toEqual(prints);
  });

  it("lists every parameter with its default", () => {
    for (const [name, value] of Object.entries(defaults)) {
      const shown = typeof value === "number" ? value.toLocaleString("en") : `\`${value}\``;
      expect([name, rows.get(name)]).toEqual([name, shown]);
    }
  });

  it("lists every error code, and no other", () => {
    const codes = [...errors.matchAll(/"(RING_\w+)"/g)].map((code) => code[1]);
    expect([...rows.keys()].filter((name) => name.startsWith("RING_"))).toEqual(codes);
  });
});
