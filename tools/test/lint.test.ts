import { spawnSync } from "node:child_process";
import fs from "node:fs";
import os from "node:os";
import path from "node:path";
import { afterAll, beforeAll, expect, test } from "vitest";
import { layerOf } from "../checks/layers.ts";
import { readWorkspaces, type Workspace } from "../checks/workspace.ts";
import { root } from "../setup.mjs";

/** A folder laid out like the repository, with its biome.json and only the files that a test writes. */
let sample: string;

beforeAll(() => {
  sample = fs.realpathSync(fs.mkdtempSync(path.join(os.tmpdir(), "mon-lint-")));
  fs.copyFileSync(path.join(root, "biome.json"), path.join(sample, "biome.json"));
  fs.copyFileSync(path.join(root, ".gitignore"), path.join(sample, ".gitignore"));
});

afterAll(() => fs.rmSync(sample, { recursive: true }));

/** @returns `path rule` for each finding of Biome in the given files */
function findingsIn(files: Readonly<Record<string, string>>): string[] {
  for (const [file, text] of Object.entries(files)) {
    fs.mkdirSync(path.join(sample, path.dirname(file)), { recursive: true });
    fs.writeFileSync(path.join(sample, file), text);
  }
  const biome = path.join(root, "node_modules", ".bin", "biome");
  const { stdout } = spawnSync(
    biome,
    ["lint", "--reporter=github", "--max-diagnostics=none", ...Object.keys(files)],
    {
      cwd: sample,
      encoding: "utf8",
    },
  );
  for (const file of Object.keys(files)) fs.rmSync(path.join(sample, file));
  return [...stdout.matchAll(/title=([^,]+),file=([^,]+)/g)]
    .map(([, rule = "", file = ""]) => `${path.relative(sample, file)} ${rule}`)
    .sort();
}

test("a promise that nobody waits for is an error", () => {
  const text = `
    async function work(): Promise<void> {}
    export async function main(): Promise<void> { work(); await work(); void work(); }
  `;
  expect(findingsIn({ "apps/agent/test/a.ts": text })).toEqual([
    "apps/agent/test/a.ts lint/nursery/noFloatingPromises",
  ]);
});

test("every core and io package is under the rules of its layer", () => {
  const breaches: Readonly<Record<string, string>> = {
    core: `import "node:fs";`,
    io: `import "@mon/broker";`,
  };
  const files = readWorkspaces(root).flatMap((workspace: Workspace) => {
    const text = breaches[layerOf(workspace) ?? ""];
    return text === undefined ? [] : [[`${workspace.folder}/src/breach.ts`, text] as const];
  });
  const ruled = new Set(
    findingsIn(Object.fromEntries(files)).filter((line) => line.includes("noRestrictedImports")),
  );
  expect([...ruled]).toEqual(files.map(([file]) => `${file} lint/style/noRestrictedImports`).sort());
});

test("core may use timers under another name only", () => {
  const text = "export const later = (clock: { setTimeout(): void }): void => clock.setTimeout();";
  expect(findingsIn({ "packages/store/src/a.ts": text })).toEqual([]);
  expect(findingsIn({ "packages/store/src/a.ts": "setTimeout(() => {}, 1);" })).toEqual([
    "packages/store/src/a.ts lint/style/noRestrictedGlobals",
  ]);
});
