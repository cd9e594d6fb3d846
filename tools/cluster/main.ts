/**
 * `npm run cluster -- --nodes 3`: brokers that are a cluster, of real processes on this machine, and an agent that reports to
 * the first, until Ctrl-C. What they keep is in `.mon/cluster`, and there again the next time.
 */
import fs from "node:fs";
import path from "node:path";
import { setTimeout as sleep } from "node:timers/promises";
import { parseArgs } from "node:util";
import { onStopSignal, startApp } from "../children.mjs";
import { main, root, SetupError } from "../setup.mjs";

const help = `Starts a cluster of brokers on this machine, and an agent that reports to the first of them.

  npm run cluster                     three brokers
  npm run cluster -- --nodes 5
  npm run cluster -- --set log.level=debug

  --nodes <n>           1 to 7 (default: 3)
  --set <path=value>    any key of all brokers; repeatable
  --help

Each broker has a store of its own. Until data is handed over between them only the first has a share of the ring.

Ports: agents 7400, 7410, …; brokers 7401, 7411, …; pages 7480, 7481, …. Data and logs are in .mon/cluster; remove it to
begin anew.
`;

const nodesMax = 7;
const readyTimeoutMs = 60_000;
const directory = path.join(root, ".mon", "cluster");

interface Running {
  readonly name: string;
  readonly log: string;
  readonly child: { kill(signal: NodeJS.Signals): unknown };
  readonly exited: Promise<number>;
}

await main(async () => {
  const { values } = parseArgs({
    options: {
      nodes: { type: "string", default: "3" },
      set: { type: "string", multiple: true, default: [] },
      help: { type: "boolean" },
    },
  });
  if (values.help) {
    process.stdout.write(help);
    return 0;
  }
  const nodes = Number(values.nodes);
  if (!Number.isInteger(nodes) || nodes < 1 || nodes > nodesMax)
    throw new SetupError(`expected --nodes from 1 to ${nodesMax}, got ${values.nodes}`);
  return await run(nodes, values.set);
});

async function run(nodes: number, settings: readonly string[]): Promise<number> {
  fs.mkdirSync(directory, { recursive: true });
  const running: Running[] = [];
  let isStopping = false;
  const stopped = new Promise<void>((resolve) => {
    onStopSignal((_signal: string, count: number) => {
      isStopping = true;
      for (const { child } of running) child.kill(count > 1 ? "SIGKILL" : "SIGTERM");
      resolve();
    });
  });
  for (let i = 0; i < nodes; i++) {
    const broker = startBroker(i, settings);
    running.push(broker);
    void broker.exited.then((code) => {
      if (!isStopping) console.error(`${broker.name} ended with ${code}: see ${broker.log}`);
    });
    // The others join the first.
    if (i === 0) await becomesReady(broker, i);
  }
  for (const [i, broker] of running.entries()) await becomesReady(broker, i);
  running.push(start("agent", "agent", ["--interval", "1s", "--broker", "http://127.0.0.1:7400"]));
  for (let i = 0; i < nodes; i++) console.log(`n${i + 1}: http://127.0.0.1:${7_480 + i}`);
  console.log("\n  npm run -s monctl -- cluster\n  npm run -s monctl -- raft\n\nCtrl-C ends it.");
  await stopped;
  await Promise.all(running.map(({ exited }) => exited));
  return 0;
}

function startBroker(index: number, settings: readonly string[]): Running {
  const name = `n${index + 1}`;
  const dataDir = path.join(directory, name);
  const isNew = !fs.existsSync(path.join(dataDir, "identity.json"));
  const begins = index === 0 ? ["--bootstrap"] : ["--join", "127.0.0.1:7401"];
  const ports = { grpc: 7_400 + 10 * index, peer: 7_401 + 10 * index, http: 7_480 + index };
  return start(name, "broker", [
    ...["--node-id", name, "--data-dir", dataDir],
    ...Object.entries(ports).flatMap(([door, port]) => [`--${door}-port`, `${port}`]),
    ...(isNew ? begins : []),
    ...settings.flatMap((setting) => ["--set", setting]),
  ]);
}

function start(name: string, app: string, args: readonly string[]): Running {
  const log = path.join(directory, `${name}.log`);
  const file = fs.openSync(log, "w");
  try {
    return { name, log, ...startApp(app, args, { stdio: ["ignore", file, file] }) };
  } finally {
    fs.closeSync(file);
  }
}

async function becomesReady({ name, log, exited }: Running, index: number): Promise<void> {
  let hasEnded = false;
  void exited.then(() => {
    hasEnded = true;
  });
  const url = `http://127.0.0.1:${7_480 + index}/readyz`;
  for (const startedMs = performance.now(); performance.now() - startedMs < readyTimeoutMs; await sleep(50)) {
    if (hasEnded) throw new SetupError(`${name} ended before it was ready:\n${fs.readFileSync(log, "utf8")}`);
    const isReady = await fetch(url, { signal: AbortSignal.timeout(2_000) }).then(
      ({ ok }) => ok,
      () => false, // Not listening yet.
    );
    if (isReady) return;
  }
  throw new SetupError(`${name} was not ready after ${readyTimeoutMs / 1_000} s: see ${log}`);
}
