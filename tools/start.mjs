/**
 * `npm start`: sets up what is missing, builds the page, and runs a broker with an agent that reports this machine.
 * Arguments after `--` go to the broker.
 */
import { createHash } from "node:crypto";
import fs from "node:fs";
import path from "node:path";
import { setTimeout as sleep } from "node:timers/promises";
import { onStopSignal, startApp, startChild } from "./children.mjs";
import { ensureDependencies, main, resolveNode, root, SetupError, toolEnvironment } from "./setup.mjs";

/** A broker that replays a large store may take long; one that is silent for this long will not come. */
const readyTimeoutMs = 120_000;
/** A broker that starts quickly has said where it serves by then, if it says so at all. */
const quietBrokerMs = 5000;
const logFolder = path.join(root, ".mon", "logs");

await main(async () => {
  const brokerArgs = process.argv.slice(2);
  await ensureDependencies();
  await buildDashboard();

  const broker = startLogged("broker", brokerArgs, brokerEnvironment(brokerArgs));
  const running = [broker];
  let stopping = false;
  onStopSignal((_signal, count) => {
    if (count > 1) {
      for (const { child } of running) child.kill("SIGKILL");
      return;
    }
    stopping = true;
    void stop(running);
  });

  const doors = await becomesReady(broker, brokerArgs);
  if (doors === undefined || stopping) {
    const code = await broker.exited;
    if (!stopping) process.stderr.write(tailOf(broker.log));
    return code;
  }

  const agent = startLogged("agent", ["--interval", "1s", "--broker", doors.grpc]);
  running.push(agent);
  void agent.exited.then((code) => {
    if (!stopping) console.error(`the agent stopped with ${code}; the broker goes on\n${tailOf(agent.log)}`);
  });
  greet(doors);

  const code = await broker.exited;
  if (!stopping) {
    stopping = true;
    console.error(`the broker stopped with ${code}\n${tailOf(broker.log)}`);
    agent.child.kill("SIGTERM");
  }
  await agent.exited;
  return code;
});

/** Stops in reverse order of starting, each after the one before has gone, so that the agent's last batch is taken. */
async function stop(running) {
  console.log("stopping: the broker drains (Ctrl-C again to kill)");
  for (const { child, exited } of running.toReversed()) {
    child.kill("SIGTERM");
    await exited;
  }
}

/** Starts an app with its output in a log file, so that the terminal stays readable. */
function startLogged(name, args, env = {}) {
  fs.mkdirSync(logFolder, { recursive: true });
  const log = path.join(logFolder, `${name}.log`);
  const file = fs.openSync(log, "w");
  try {
    return { log, ...startApp(name, args, { stdio: ["ignore", file, file], env }) };
  } finally {
    fs.closeSync(file);
  }
}

function tailOf(log) {
  const lines = fs.readFileSync(log, "utf8").trimEnd().split("\n");
  return `${lines.slice(-20).join("\n")}\n`;
}

/** Data goes below `.mon` unless the user has a say in it: the environment is weaker than a flag, but not than a file. */
function brokerEnvironment(args) {
  const hasFile = flagValue(args, "--config") !== undefined || process.env.MON_CONFIG !== undefined;
  return hasFile ? {} : { MON_DATA_DIR: process.env.MON_DATA_DIR ?? path.join(root, ".mon", "data") };
}

/** @returns the broker's doors once it answers as ready, or undefined when it exits first */
async function becomesReady({ log, child, exited }, args) {
  let isGone = false;
  void exited.then(() => {
    isGone = true;
  });
  for (const started = performance.now(); !isGone; await sleep(50)) {
    const waitedMs = performance.now() - started;
    if (waitedMs > readyTimeoutMs) {
      child.kill("SIGTERM");
      await exited;
      throw new SetupError(`${tailOf(log)}the broker was not ready after ${readyTimeoutMs / 1000} s`);
    }
    const doors = doorsFromLog(log) ?? (waitedMs > quietBrokerMs ? doorsFromFlags(args) : undefined);
    if (doors !== undefined && (await isReady(doors.http))) return isGone ? undefined : doors;
  }
  return undefined;
}

function isReady(http) {
  return fetch(`${http}/readyz`, { signal: AbortSignal.timeout(2000) }).then(
    (response) => response.ok,
    () => false, // Not listening yet.
  );
}

/** @returns the addresses that the broker logs once it listens */
function doorsFromLog(log) {
  const line = fs
    .readFileSync(log, "utf8")
    .split("\n")
    .find((candidate) => candidate.includes('"msg":"serving"'));
  if (line === undefined) return undefined;
  const { http, grpc } = JSON.parse(line);
  // All addresses of this machine; a browser wants one.
  const toOne = (door) => door.replace(/\/\/(0\.0\.0\.0|\[::\]):/, "//127.0.0.1:");
  return { http: toOne(http), grpc: toOne(grpc) };
}

/** Where the doors of a broker that logs too little to say so are, as far as its flags tell. */
function doorsFromFlags(args) {
  return {
    http: `http://127.0.0.1:${flagValue(args, "--http-port") ?? 7480}`,
    grpc: `http://127.0.0.1:${flagValue(args, "--grpc-port") ?? 7400}`,
  };
}

function flagValue(args, name) {
  const at = args.findLastIndex((argument) => argument === name || argument.startsWith(`${name}=`));
  if (at === -1) return undefined;
  return args[at] === name ? args[at + 1] : args[at].slice(name.length + 1);
}

/** Builds the page when its sources are not those of the last build. */
async function buildDashboard() {
  const app = path.join(root, "apps", "dashboard");
  const stampFile = path.join(app, "dist", ".sources");
  const hash = hashOf([
    app,
    path.join(root, "packages", "proto", "src"),
    path.join(root, "package-lock.json"),
  ]);
  if (fs.existsSync(stampFile) && fs.readFileSync(stampFile, "utf8") === hash) return;
  console.log("building the page …");
  const vite = path.join(root, "node_modules", "vite", "bin", "vite.js");
  const { child, exited } = startChild(resolveNode(), [vite, "build", "--logLevel", "warn"], {
    cwd: app,
    env: toolEnvironment(),
  });
  const forward = () => child.kill("SIGTERM");
  process.once("SIGINT", forward).once("SIGTERM", forward);
  const code = await exited;
  process.off("SIGINT", forward).off("SIGTERM", forward);
  if (code !== 0) throw new SetupError(`building the page failed with ${code}`);
  fs.writeFileSync(stampFile, hash);
}

/** One hash over the paths and bytes of the files, leaving out what is built or only tests. */
function hashOf(places) {
  const hash = createHash("sha256");
  const leftOut = new Set(["dist", "test", "node_modules", ".reports"]);
  const add = (place) => {
    if (fs.statSync(place).isDirectory()) {
      for (const name of fs.readdirSync(place).sort()) if (!leftOut.has(name)) add(path.join(place, name));
    } else {
      hash.update(`${path.relative(root, place)}\0`).update(fs.readFileSync(place));
    }
  };
  for (const place of places) add(place);
  return hash.digest("hex");
}

function greet({ http, grpc }) {
  const report = `{"reports":[{"hostId":"kitchen","time":"'$(date -u +%FT%TZ)'","samples":[{"name":"temperature_celsius","value":21.5}]}]}`;
  console.log(`
mon is running: open ${http} in a browser to see this machine.

  push a sample    curl ${http}/mon.v1.MonitorService/Push -H 'content-type: application/json' \\
                     -d '${report}'
  query it back    npm run -s monctl -- query temperature_celsius
  see the hosts    npm run -s monctl -- hosts

The agent reports to ${grpc} every second. Logs are in ${path.relative(process.cwd(), logFolder)}. Ctrl-C stops both.`);
}
