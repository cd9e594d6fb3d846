import { execFileSync } from "node:child_process";
import path from "node:path";
import { expect, test } from "vitest";
import { type Edge, edgeViolations, importViolations } from "../checks/layers.ts";
import { parseSource } from "../checks/source-file.ts";
import { readManifest, readWorkspaces, type Workspace } from "../checks/workspace.ts";
import { root } from "../setup.mjs";

/** A workspace with one source file. */
function workspace(
  folder: string,
  layer: string,
  source: string,
  {
    dependencies = [],
    devDependencies = [],
    peerDependencies = [],
    file = "src/index.ts",
    test = "",
  }: {
    dependencies?: string[];
    devDependencies?: string[];
    peerDependencies?: string[];
    file?: string;
    test?: string;
  } = {},
): Workspace {
  const versions = (names: string[]) => Object.fromEntries(names.map((name) => [name, "1.0.0"]));
  return {
    folder,
    manifest: {
      name: `@mon/${path.basename(folder)}`,
      version: "1.0.0",
      dependencies: versions(dependencies),
      devDependencies: versions(devDependencies),
      peerDependencies: versions(peerDependencies),
      nx: { tags: [`layer:${layer}`] },
    },
    sources: [parseSource(`${folder}/${file}`, source)],
    others: test === "" ? [] : [parseSource(`${folder}/test/a.test.ts`, test)],
  };
}

const repository = readWorkspaces(root);
const ring = workspace("packages/ring", "core", "export {};");
const disk = workspace("packages/disk", "io", "export {};");
const hosts = workspace("packages/hosts", "host", "export {};");
const node = workspace("apps/node", "app", "export {};");
const violations = (subject: Workspace) =>
  importViolations([subject, ring, disk, hosts, node], new Set(["vitest"]));

test("what the layers allow passes", () => {
  const fine = [
    workspace(
      "packages/a",
      "core",
      `import { pick } from "@mon/ring"; import { z } from "zod"; import "./b.ts";`,
      {
        dependencies: ["@mon/ring", "zod"],
      },
    ),
    workspace(
      "packages/a",
      "core",
      `import { crc32 } from "node:zlib"; import { createHash } from "node:crypto";`,
    ),
    workspace("packages/level-store", "io", `import fs from "node:fs"; import { Level } from "level";`, {
      dependencies: ["level"],
    }),
    workspace("packages/a", "io", `import type { Probes } from "@mon/hosts"; import net from "node:net";`, {
      dependencies: ["@mon/hosts"],
    }),
    workspace("apps/a", "app", `import "@mon/disk"; import "pino"; setTimeout(() => {}, 1);`, {
      dependencies: ["@mon/disk", "pino"],
    }),
    workspace("packages/a", "core", `import { test } from "vitest";`, {
      peerDependencies: ["vitest"],
      file: "src/conformance.ts",
    }),
    workspace("packages/a", "core", "export {};", {
      test: `import { test } from "vitest"; import "../src/x.ts";`,
    }),
  ];
  for (const subject of fine) expect(violations(subject)).toEqual([]);
});

test.each([
  ["core imports an io sibling", "core", `import "@mon/disk";`, ["@mon/disk"], "core may not import io"],
  ["core imports a driver", "core", `import { Level } from "level";`, ["level"], "core may import core"],
  [
    "core imports a type of a driver",
    "core",
    `import type { Level } from "level";`,
    ["level"],
    "core may import core",
  ],
  ["core reads files", "core", `import { readFile } from "node:fs/promises";`, [], "list of pure functions"],
  [
    "core makes random bytes",
    "core",
    `import { randomBytes } from "node:crypto";`,
    [],
    "imports randomBytes",
  ],
  [
    "core imports a whole module of Node",
    "core",
    `import * as zlib from "node:zlib";`,
    [],
    "imports * from node:zlib",
  ],
  ["core reads the clock", "core", "export const t = Date.now();", [], "core uses Date.now"],
  ["host opens sockets", "host", `import net from "node:net";`, [], "host imports default from node:net"],
  ["host imports io", "host", `import "@mon/disk";`, ["@mon/disk"], "host may not import io"],
  ["io imports another io", "io", `import "@mon/disk";`, ["@mon/disk"], "io may not import io"],
  ["io imports a second driver", "io", `import "ioredis";`, ["ioredis"], "its one driver"],
  ["a library imports an app", "core", `import "@mon/node";`, ["@mon/node"], "core may not import app"],
  ["a sibling is imported by path", "core", `import "../../ring/src/index.ts";`, [], "by name"],
  ["a dependency is not declared", "core", `import "@mon/ring";`, [], "does not declare"],
  ["sources import a test runner", "core", `import "vitest";`, ["vitest"], "core and pure packages"],
  ["an import's name is computed", "core", "await import(name);", [], "computed name"],
])("%s: caught", (_claim, layer, source, dependencies, message) => {
  const found = violations(workspace("packages/a", layer, source, { dependencies }));
  expect(found).toContainEqual(expect.stringContaining(message));
});

test("an app that imports another: caught", () => {
  const found = violations(
    workspace("apps/a", "app", `import "@mon/node";`, { dependencies: ["@mon/node"] }),
  );
  expect(found).toEqual([expect.stringContaining("app may not import app")]);
});

test("a workspace without a layer: caught", () => {
  expect(violations(workspace("packages/a", "shelf", ""))).toEqual([
    expect.stringContaining("expected one tag"),
  ]);
});

test("a test that imports what nobody declares: caught", () => {
  const subject = workspace("packages/a", "core", "", { test: `import "left-pad";` });
  expect(violations(subject)).toEqual([expect.stringContaining("imports left-pad, which")]);
});

test("edges of the project graph against the layers, and edges that are missing: caught", () => {
  const edges = [{ source: "@mon/ring", target: "@mon/disk" }];
  expect(edgeViolations([ring, disk], edges)).toEqual(["@mon/ring → @mon/disk: core may not import io"]);
  const user = workspace("packages/user", "core", `import "@mon/ring";`, { dependencies: ["@mon/ring"] });
  expect(edgeViolations([user, ring], [])).toEqual([expect.stringContaining("not an edge of nx's graph")]);
  expect(edgeViolations([user, ring], [{ source: "@mon/user", target: "@mon/ring" }])).toEqual([]);
});

test("an edge between apps is for tests only", () => {
  const edges = [{ source: "@mon/page", target: "@mon/node" }];
  const page = (group: object) => workspace("apps/page", "app", "", group);
  expect(edgeViolations([page({ devDependencies: ["@mon/node"] }), node], edges)).toEqual([]);
  expect(edgeViolations([page({ dependencies: ["@mon/node"] }), node], edges)).toHaveLength(1);
});

test("the repository keeps its layers", () => {
  const rootDevDependencies = new Set(Object.keys(readManifest(root).devDependencies ?? {}));
  expect(importViolations(repository, rootDevDependencies)).toEqual([]);
});

test("nx's project graph keeps the layers, and has every edge of the sources", () => {
  expect(edgeViolations(repository, readProjectGraph())).toEqual([]);
});

function readProjectGraph(): Edge[] {
  const nx = path.join(root, "node_modules", ".bin", "nx");
  const env = { ...process.env, NX_DAEMON: "false" };
  const printed = execFileSync(nx, ["graph", "--print"], {
    cwd: root,
    env,
    maxBuffer: 64 << 20,
    stdio: ["ignore", "pipe", "ignore"],
  });
  const dependencies: Record<string, Edge[]> = JSON.parse(String(printed)).graph.dependencies;
  return Object.values(dependencies).flat();
}
