import { execFileSync } from "node:child_process";
import { readFileSync } from "node:fs";
import { fileURLToPath } from "node:url";
import { describe, expect, it } from "vitest";

const root = fileURLToPath(new URL("..", import.meta.url));
const readme = readFileSync(`${root}/README.md`, "utf8");
const snippets = [...readme.matchAll(/^```ts\n(.*?)^```$/gms)].map((match) => match[1]!);

describe("the README", () => {
  it("has snippets", () => {
    expect(snippets.length).toBeGreaterThan(2);
  });

  it.each(snippets)("prints what its comments say: snippet %#", (snippet) => {
    const expected = [...snippet.matchAll(/^console\.log\(.*\); \/\/ (.*)$/gm)].map((match) => match[1]);
    const args = ["--conditions=@mon/source", "--no-warnings", "--input-type=module-typescript"];
    const printed = execFileSync(process.execPath, args, { cwd: root, input: snippet, encoding: "utf8" });
    expect(printed.trimEnd().split("\n")).toEqual(expected);
  });
});
