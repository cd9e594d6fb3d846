import { readFile } from "node:fs/promises";
import path from "node:path";
import { expect, it } from "vitest";
import { readmeSnippets, runSnippet, snippetTypeErrors } from "../../../tools/build/readme-snippets.ts";

const root = path.join(import.meta.dirname, "..");
const snippets = await readmeSnippets(root);
const [suites, programs] = [true, false].map((isSuite) =>
  snippets.filter(({ code }) => code.includes("/conformance") === isSuite),
) as [typeof snippets, typeof snippets];

it("the README's snippets type-check", async () => {
  expect(await snippetTypeErrors(root, snippets)).toBe("");
});

it.each(programs)(
  "the README's snippet at line $line prints what its comments say",
  async ({ code, prints }) => {
    expect(await runSnippet(root, code)).toEqual(prints);
  },
);

it("the README's suite is the one that runs here", async () => {
  expect(suites).toHaveLength(1);
  expect(suites[0]!.code).toBe(await readFile(path.join(root, "test", "memory-store.test.ts"), "utf8"));
});
