/**
 * Proves the published packages the way a user meets them: packs each, installs the tarballs in an empty project,
 * imports every subpath and type-checks a file that imports them all. Ends with `N passed, M failed`.
 * With `--no-build` it takes the builds that are there.
 */
import { spawnSync } from "node:child_process";
import fs from "node:fs";
import os from "node:os";
import path from "node:path";
import { type Manifest, readManifest } from "./checks/workspace.ts";
import { root } from "./setup.mjs";

const bin = path.join(root, "node_modules", ".bin");
const consumerTsconfig = {
  compilerOptions: {
    target: "es2024",
    // Connect's declarations name HeadersInit, which only the DOM's library has.
    lib: ["es2024", "esnext.disposable", "dom"],
    module: "nodenext",
    moduleResolution: "nodenext",
    types: ["node"],
    strict: true,
    exactOptionalPropertyTypes: true,
    noUncheckedIndexedAccess: true,
    verbatimModuleSyntax: true,
    skipLibCheck: false,
    noEmit: true,
  },
  files: ["consumer.ts"],
};

let passed = 0;
let failed = 0;

const project = fs.realpathSync(fs.mkdtempSync(path.join(os.tmpdir(), "mon-pack-")));
try {
  checkPackages(project);
} finally {
  fs.rmSync(project, { recursive: true });
}
console.log(`${passed} passed, ${failed} failed`);
process.exitCode = failed === 0 && passed > 0 ? 0 : 1;

function checkPackages(cwd: string): void {
  const packages = publishedPackages();
  const build = [path.join(bin, "nx"), "run-many", "-t", "build", "--parallel=2", "-p", names(packages)];
  if (!process.argv.includes("--no-build") && !check("build", build, root)) return;

  const tarballs = new Map<string, string>();
  for (const [folder, { name, version }] of packages) {
    if (!check(`pack ${name}`, ["npm", "pack", "--silent", "--pack-destination", cwd], folder)) return;
    tarballs.set(name, `file:${name.slice(1).replace("/", "-")}-${version}.tgz`);
  }

  fs.writeFileSync(path.join(cwd, "package.json"), JSON.stringify(consumer(packages, tarballs)));
  // A new project has no npm configuration of ours; scripts stay off, as a careful user has them.
  const install = ["npm", "install", "--ignore-scripts", "--no-audit", "--no-fund", "--loglevel=error"];
  if (!check("install the tarballs in an empty project", install, cwd)) return;

  const subpaths = [...packages.values()].flatMap(({ name, exports = {} }) =>
    Object.keys(exports).map((subpath) => path.posix.join(name, subpath)),
  );
  for (const subpath of subpaths) {
    const script = `if (Object.keys(await import(${JSON.stringify(subpath)})).length === 0) throw new Error("exports nothing");`;
    check(`import ${subpath}`, [process.execPath, "--input-type=module", "-e", script], cwd);
  }

  const lines = subpaths.map(
    (subpath, index) => `export * as module${index} from ${JSON.stringify(subpath)};`,
  );
  fs.writeFileSync(path.join(cwd, "consumer.ts"), `${lines.join("\n")}\n`);
  fs.writeFileSync(path.join(cwd, "tsconfig.json"), JSON.stringify(consumerTsconfig));
  check("type-check a file that imports every subpath", [path.join(bin, "tsc"), "-p", cwd], cwd);
}

/** @returns folder → manifest */
function publishedPackages(): Map<string, Manifest> {
  const parent = path.join(root, "packages");
  const folders = fs.readdirSync(parent).map((name) => path.join(parent, name));
  const present = folders.filter((folder) => fs.existsSync(path.join(folder, "package.json")));
  return new Map(present.map((folder) => [folder, readManifest(folder)]));
}

function names(packages: ReadonlyMap<string, Manifest>): string {
  return [...packages.values()].map(({ name }) => name).join(",");
}

/** The manifest of a project that uses all packages, with the peers that they leave to their user. */
function consumer(packages: ReadonlyMap<string, Manifest>, tarballs: ReadonlyMap<string, string>): object {
  const { devDependencies = {} } = readManifest(root);
  const peers = [...packages.values()].flatMap(({ peerDependencies = {} }) => Object.keys(peerDependencies));
  const versions = ["@types/node", ...peers].map((name) => [name, devDependencies[name] ?? "*"]);
  return {
    private: true,
    type: "module",
    dependencies: { ...Object.fromEntries(versions), ...Object.fromEntries(tarballs) },
    // Siblings come from the tarballs, too, never from the registry.
    overrides: Object.fromEntries([...tarballs.keys()].map((name) => [name, `$${name}`])),
  };
}

/** Runs one command, shows what it printed when it fails, and counts it. */
function check(title: string, [command = "", ...args]: string[], cwd: string): boolean {
  const { status, stdout, stderr, error } = spawnSync(command, args, { cwd, encoding: "utf8" });
  const isGood = status === 0;
  console.log(`${isGood ? "ok" : "FAILED"}  ${title}`);
  if (!isGood) console.log([stdout, stderr, error?.message].filter(Boolean).join("\n"));
  if (isGood) passed += 1;
  else failed += 1;
  return isGood;
}
