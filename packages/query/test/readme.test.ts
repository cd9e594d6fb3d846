import { execFile } from "node:child_process";
import { readFileSync } from "node:fs";
import { fileURLToPath } from "node:url";
import { promisify } from "node:util";
import { describe, expect, it } from "vitest";

const root = fileURLToPath(new URL("..", import.meta.url));
const readme = readFileSync(new URL("../README.md", import.meta.url), "utf8");
const snippets = [...readme.matchAll(/^```ts\n(.*?)^```$/gms)].map((match) => match[1]!);

describe("the README", () => {
  it("has snippets", () => {
    expect(snippets.length).toBe(3);
  });

  it.concurrent.each(snippets)("prints what its comments say: snippet %#", async (snippet) => {
    const expected = [...snippet.matchAll(/console\.log\(.*\); \/\/ (.*)$/gm)].map((match) => match[1]);
    const args = [
      "--conditions=@mon/source",
      "--no-warnings",
      "--input-type=module-typescript",
      "--eval",
      snippet,
    ];
    const { stdout } = await promisify(execFile)(process.execPath, args, { cwd: root });
    expect(stdout.trimEnd().split("\n")).toEqual(expected);
  });
});
