import { readFile } from "node:fs/promises";
import path from "node:path";
import { describe, expect, test } from "vitest";
import { readmeSnippets, runSnippet, snippetTypeErrors } from "../../../tools/build/readme-snippets.ts";
import { defaults } from "../src/index.ts";

const packageDirectory = path.join(import.meta.dirname, "..");
const snippets = await readmeSnippets(packageDirectory);

describe("the README", () => {
  test("has snippets that type-check, and say what they print", { timeout: 60_000 }, async () => {
    expect(snippets).toHaveLength(2);
    expect(snippets.filter(({ prints }) => prints.length === 0)).toEqual([]);
    expect(await snippetTypeErrors(packageDirectory, snippets)).toBe("");
  });

  test.each(snippets)("tells the truth at line $line", { timeout: 30_000 }, async ({ code, prints }) => {
    expect(await runSnippet(packageDirectory, code)).toEqual(prints);
  });

  test("lists every option once", async () => {
    const readme = await readFile(path.join(packageDirectory, "README.md"), "utf8");
    const [, table] = /## Options\n(.*?)\n## /s.exec(readme)!;
    const listed = [...table!.matchAll(/^\| (`.*?) +\|/gm)].flatMap(([, names]) => names!.match(/\w+/g)!);
    expect(listed.sort()).toEqual(Object.keys(defaults).sort());
  });
});
