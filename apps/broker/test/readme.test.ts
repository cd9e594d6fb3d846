import { readFileSync } from "node:fs";
import { resolve } from "node:path";
import { expect, it } from "vitest";
import { ExitCode } from "../src/exit-code.ts";
import { runBroker } from "./support/broker-process.ts";

const readme = readFileSync(resolve(import.meta.dirname, "../README.md"), "utf8");

it("the README's flags are those of --help", async () => {
  const { code, stdout } = await runBroker(["--help"]);
  expect(code).toBe(0);
  const flagsOf = (text: string): Set<string> => new Set(text.match(/(?<=^|[\s`])--[a-z][a-z-]+/gm));
  const table = readme.slice(readme.indexOf("## Flags"), readme.indexOf("## Doors"));
  const helped = flagsOf(stdout);
  for (const flag of ["--help", "--version"]) helped.delete(flag);
  expect(flagsOf(table)).toEqual(helped);
});

it("the README's exit codes are those of the broker", () => {
  const table = readme.slice(readme.indexOf("## Signals"), readme.indexOf("## What it promises"));
  const codes = [...table.matchAll(/^\| (\d+) /gm)].map(([, code]) => Number(code));
  expect(codes).toEqual(Object.values(ExitCode).toSorted((a, b) => a - b));
});
