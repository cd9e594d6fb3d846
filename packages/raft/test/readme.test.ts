import { execFileSync } from "node:child_process";
import { readFileSync } from "node:fs";
import { fileURLToPath } from "node:url";
import { describe, expect, it } from "vitest";

const root = fileURLToPath(new URL("..", import.meta.url));
const readme = readFileSync(`${root}/README.md`, "utf8");
const snippets = [...readme.matchAll(/^```ts\n(.*?)^```$/gms)].map((match) => match[1]!);

describe("the README", () => {
  it("has snippets, the first of them a cluster in under 60 lines", () => {
    expect(snippets.length).toBe(3);
    expect(snippets[0]!.trimEnd().split("\n").length).toBeLessThan(60);
  });

  it.each(snippets)("prints what its comments say: snippet %#", { timeout: 30_000 }, (snippet) => {
    const expected = [...snippet.matchAll(/^console\.log\(.*\); \/\/ (.*)$/gm)].map((match) => match[1]);
    const args = ["--conditions=@mon/source", "--no-warnings", "--input-type=module-typescript"];
    const printed = execFileSync(process.execPath, args, { cwd: root, input: snippet, encoding: "utf8" });
    expect(printed.trimEnd().split("\n")).toEqual(expected);
  });

  it("lists every error code once", () => {
    const source = readFileSync(`${root}/src/errors.ts`, "utf8");
    const codes = [...source.matchAll(/^ {2}\| "(RAFT_\w+)"/gm)].map((match) => match[1]!);
    const listed = [...readme.matchAll(/^\| (`RAFT_.*?) \|/gm)].flatMap((row) => row[1]!.match(/RAFT_\w+/g)!);
    expect(listed.sort()).toEqual(codes.sort());
  });
});
