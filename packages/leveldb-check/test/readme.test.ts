import path from "node:path";
import { describe, expect, test } from "vitest";
import { readmeSnippets, runSnippet, snippetTypeErrors } from "../../../tools/build/readme-snippets.ts";

const packageDirectory = path.join(import.meta.dirname, "..");
const snippets = await readmeSnippets(packageDirectory);

describe("the README", () => {
  test("has a snippet that type-checks, and says what it prints", async () => {
    expect(snippets).toHaveLength(1);
    expect(snippets.filter(({ prints }) => prints.length === 0)).toEqual([]);
    expect(await snippetTypeErrors(packageDirectory, snippets)).toBe("");
  });

  test.each(snippets)("tells the truth at line $line", async ({ code, prints }) => {
    expect(await runSnippet(packageDirectory, code)).toEqual(prints);
  });
});
