import { execFileSync } from "node:child_process";
import fs from "node:fs";
import path from "node:path";
import { expect, test } from "vitest";
import { type Lockfile, lockfileViolations } from "../checks/lockfile.ts";
import { manifestViolations } from "../checks/manifests.ts";
import { type Manifest, readWorkspaces } from "../checks/workspace.ts";
import { root } from "../setup.mjs";

const workspaces = readWorkspaces(root);
const read = (...parts: string[]) => fs.readFileSync(path.join(root, ...parts), "utf8");

const good: Manifest = {
  name: "@mon/ring",
  version: "1.2.3",
  license: "Apache-2.0",
  type: "module",
  sideEffects: false,
  engines: { node: ">=22.15" },
  repository: { directory: "packages/ring" },
  files: ["dist", "src"],
  exports: {
    ".": { "@mon/source": "./src/index.ts", types: "./dist/index.d.ts", default: "./dist/index.js" },
    "./testing": {
      "@mon/source": "./src/testing.ts",
      types: "./dist/testing.d.ts",
      default: "./dist/testing.js",
    },
  },
  scripts: { build: "", test: "", typecheck: "", lint: "", check: "" },
};
const violations = (manifest: Manifest, folder = "packages/ring") =>
  manifestViolations([{ folder, manifest, sources: [], others: [] }]);

test("a complete manifest passes", () => {
  expect(violations(good)).toEqual([]);
});

test.each<[string, Partial<Manifest>, string]>([
  ["another name", { name: "@mon/circle" }, "expected name @mon/ring"],
  ["a range for a dependency", { dependencies: { yaml: "^2.0.0" } }, "exact version of yaml"],
  ["no sources in the tarball", { files: ["dist"] }, "expected src in files"],
  ["no script", { scripts: {} }, "expected a script test"],
  ["a private package", { private: true }, "expected no private"],
  [
    "types after default",
    { exports: { ".": { default: "./dist/index.js", types: "./dist/index.d.ts" } } },
    'exports["."]',
  ],
])("%s: caught", (_claim, change, message) => {
  expect(violations({ ...good, ...change })).toContainEqual(expect.stringContaining(message));
});

test("siblings that disagree about a version: caught", () => {
  const other = {
    ...good,
    name: "@mon/b",
    repository: { directory: "packages/b" },
    dependencies: { yaml: "2.0.0" },
  };
  const found = manifestViolations([
    { folder: "packages/b", manifest: other, sources: [], others: [] },
    {
      folder: "packages/ring",
      manifest: { ...good, dependencies: { yaml: "2.0.1", "@mon/b": "1.0.0" } },
      sources: [],
      others: [],
    },
  ]);
  expect(found).toEqual([
    expect.stringContaining("has yaml 2.0.1 where another has 2.0.0"),
    expect.stringContaining("expected @mon/b 1.2.3, got 1.0.0"),
  ]);
});

test("an app that could be published by accident: caught", () => {
  expect(violations({ ...good, name: "@mon/node" }, "apps/node")).toEqual([
    expect.stringContaining("expected private"),
  ]);
});

test("every manifest of the repository is complete and agrees with the others", () => {
  expect(manifestViolations(workspaces)).toEqual([]);
});

test("every published package carries the licence, a README and a CHANGELOG", () => {
  const missing = workspaces
    .filter(({ folder }) => folder.startsWith("packages/"))
    .flatMap(({ folder }) => ["LICENSE", "README.md", "CHANGELOG.md"].map((name) => path.join(folder, name)))
    .filter(
      (file) =>
        !fs.existsSync(path.join(root, file)) || (file.endsWith("LICENSE") && read(file) !== read("LICENSE")),
    );
  expect(missing).toEqual([]);
});

test("a lockfile that names a download address, or leaves out an integrity: caught", () => {
  const packages = {
    "": {},
    "packages/a": {},
    "node_modules/@mon/a": { resolved: "packages/a", link: true },
    "node_modules/b": { resolved: "https://registry.npmjs.org/b/-/b-1.0.0.tgz", integrity: "sha512-" },
    "node_modules/c": {},
  };
  expect(lockfileViolations({ lockfileVersion: 2, packages })).toEqual([
    "expected lockfileVersion 3, got 2",
    "node_modules/b: names a download address, https://registry.npmjs.org/b/-/b-1.0.0.tgz",
    "node_modules/c: has no integrity",
  ]);
});

test("the repository's lockfile names no download address", () => {
  const lockfile: Lockfile = JSON.parse(read("package-lock.json"));
  expect(Object.keys(lockfile.packages).length).toBeGreaterThan(100);
  expect(lockfileViolations(lockfile)).toEqual([]);
});

test("tsc is TypeScript 7, though `typescript` is an alias of 6 for the tools that need its API", () => {
  const tsc = path.join(root, "node_modules", ".bin", "tsc");
  expect(String(execFileSync(tsc, ["-v"]))).toMatch(/^Version 7\./);
});
