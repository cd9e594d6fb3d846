import { execFile } from "node:child_process";
import { readFileSync } from "node:fs";
import { fileURLToPath } from "node:url";
import { promisify } from "node:util";
import { describe, expect, test } from "vitest";

const packageDirectory = fileURLToPath(new URL("..", import.meta.url));
const readme = readFileSync(new URL("../README.md", import.meta.url), "utf8");

/** Each TypeScript snippet with the output that the text block after it claims. */
const snippets = [...readme.matchAll(/```ts\n(.*?)```\s+```text\n(.*?)```/gs)].map(
  ([, code = "", output = ""], index) => ({
    number: index + 1,
    code,
    output,
  }),
);

describe("the README", () => {
  test("says what each of its snippets prints", () => {
    expect(snippets.length).toBeGreaterThan(0);
    expect(snippets).toHaveLength([...readme.matchAll(/```ts\n/g)].length);
  });

  test.each(snippets)("tells the truth in snippet $number", async ({ code, output }) => {
    const flags = ["--conditions=@mon/source", "--input-type=module-typescript", "--eval", code];
    const { stdout } = await promisify(execFile)(process.execPath, flags, { cwd: packageDirectory });
    expect(stdout).toBe(output);
  });
});
