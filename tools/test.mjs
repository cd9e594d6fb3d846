/**
 * `npm test`: sets up what is missing and runs every check of the repository, or with names only those projects':
 *
 *     npm test                 everything
 *     npm test -- hashring     one project
 *
 * The last line is `N passed, M failed`. Unchanged projects come from nx's cache and count as they did.
 */
import { spawnSync } from "node:child_process";
import fs from "node:fs";
import path from "node:path";
import {
  ensureDependencies,
  ensureSystemPackages,
  main,
  root,
  SetupError,
  toolEnvironment,
} from "./setup.mjs";
import { tally } from "./tally.mjs";

/** A test that spins for ever cannot be timed out from inside; a run of all tasks never takes this long. */
const tasksTimeoutMs = 30 * 60_000;
const runFile = path.join(root, ".nx", "cache", "run.json");

await main(async () => {
  const names = process.argv.slice(2);
  const unknownFlag = names.find((name) => name.startsWith("-"));
  if (unknownFlag !== undefined) throw new SetupError(`expected names of projects, got ${unknownFlag}`);

  await section("set-up", async () => {
    await ensureDependencies();
    await ensureSystemPackages(["chromium", "redis"]);
  });
  const projects = foldersByProject(names);
  const total = await section("lint, typecheck, test, build, check", () => runTasks(projects, names));
  if (names.length === 0) {
    await section("unused files, exports and dependencies", () => {
      const { status } = runTool("knip", []);
      if (status === 0) total.passed += 1;
      else {
        total.failed += 1;
        total.failures.push("knip");
      }
    });
  }

  console.log();
  for (const failure of total.failures) console.log(`failed: ${failure}`);
  if (total.skipped > 0) console.log(`${total.skipped} skipped`);
  console.log(`${total.passed} passed, ${total.failed} failed`);
  return total.failed === 0 && total.passed > 0 ? 0 : 1;
});

async function section(title, run) {
  console.log(`\n== ${title}`);
  const started = performance.now();
  const result = await run();
  console.log(`== ${title}: ${((performance.now() - started) / 1000).toFixed(1)} s`);
  return result;
}

/** @returns project name → folder, of all workspaces or of those named, with or without the scope */
function foldersByProject(names) {
  const folders = ["packages", "apps"].flatMap((parent) =>
    fs.readdirSync(path.join(root, parent)).map((name) => path.join(root, parent, name)),
  );
  const all = new Map();
  for (const folder of [...folders, path.join(root, "tools")]) {
    const manifest = path.join(folder, "package.json");
    if (fs.existsSync(manifest)) all.set(JSON.parse(fs.readFileSync(manifest, "utf8")).name, folder);
  }
  if (names.length === 0) return all;
  return new Map(
    names.map((name) => {
      const full = name.startsWith("@mon/") ? name : `@mon/${name}`;
      if (!all.has(full)) throw new SetupError(`expected one of ${[...all.keys()].join(", ")}, got ${name}`);
      return [full, all.get(full)];
    }),
  );
}

function runTasks(projects, names) {
  // What an earlier run left must not be counted; nx puts back what it takes from its cache.
  for (const folder of projects.values())
    fs.rmSync(path.join(folder, ".reports"), { recursive: true, force: true });
  fs.rmSync(runFile, { force: true });
  const chosen = names.length === 0 ? [] : ["-p", [...projects.keys()].join(",")];
  const targets = "lint,typecheck,test,build,check";
  const options = ["--parallel=2", "--outputStyle=static-failures-only", ...chosen];
  const { error } = runTool("nx", ["run-many", "-t", targets, ...options], tasksTimeoutMs);
  const timedOut = `the tasks did not end within ${tasksTimeoutMs / 60_000} minutes`;
  if (error !== undefined) return { passed: 0, failed: 1, skipped: 0, failures: [timedOut] };
  if (!fs.existsSync(runFile)) return { passed: 0, failed: 1, skipped: 0, failures: ["nx did not run"] };
  return tally(readJson(runFile), (name) => {
    const report = path.join(projects.get(name) ?? "", ".reports", "tests.json");
    return fs.existsSync(report) ? readJson(report) : undefined;
  });
}

function runTool(name, args, timeout = 0) {
  const env = toolEnvironment();
  if (env.CI === "true") Object.assign(env, { NO_COLOR: "1", FORCE_COLOR: "0" });
  // Warnings about the user's own npm configuration, once for each task, would bury what matters.
  env.npm_config_loglevel = "error";
  // One run is like another: a change is judged by what it changes. `npm run test:full` draws new seeds.
  env.SEED ??= "20261123";
  const result = spawnSync(path.join(root, "node_modules", ".bin", name), args, {
    cwd: root,
    stdio: "inherit",
    env,
    timeout,
  });
  if (result.error !== undefined && result.error.code !== "ETIMEDOUT") throw result.error;
  return result;
}

function readJson(file) {
  return JSON.parse(fs.readFileSync(file, "utf8"));
}
