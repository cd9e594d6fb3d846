import path from "node:path";
import { expect, it } from "vitest";
import { readmeSnippets, runSnippet, snippetTypeErrors } from "../../../tools/build/readme-snippets.ts";

const root = path.join(import.meta.dirname, "..");
const snippets = await readmeSnippets(root);

it("the README's snippets type-check", async () => {
  expect(snippets).toHaveLength(4);
  expect(await snippetTypeErrors(root, snippets)).toBe("");
});

it.each(snippets)("the README's snippet at line $line prints what it says", async ({ code, prints }) => {
  expect(await runSnippet(root, code)).toEqual(prints);
});
