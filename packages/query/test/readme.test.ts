import path from "node:path";
import { describe, expect, it } from "vitest";
import { readmeSnippets, runSnippet, snippetTypeErrors } from "../../../tools/build/readme-snippets.ts";

const root = path.join(import.meta.dirname, "..");
const snippets = await readmeSnippets(root);

describe("the README", () => {
  it("has snippets that type-check", async () => {
    expect(snippets).toHaveLength(3);
    expect(await snippetTypeErrors(root, snippets)).toBe("");
  });

  it.concurrent.each(snippets)("says at line $line what its snippet prints", async ({ code, prints }) => {
    expect(await runSnippet(root, code)).toEqual(prints);
  });
});
