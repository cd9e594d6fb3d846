/**
 * Runs VictoriaMetrics on a free port, as it comes but for one flag, and tells the parent its port and process. Its data
 * is thrown away, so it is killed with this process and flushes nothing.
 */
import { spawn } from "node:child_process";
import { type AddressInfo, createServer } from "node:net";
import process from "node:process";
import { setTimeout as sleep } from "node:timers/promises";

const startTimeoutMs = 15_000;
const checkMs = 50;

const [command, dataDir] = process.argv.slice(2);
if (command === undefined || dataDir === undefined)
  throw new Error("expected a command and a data directory");

const port = await freePort();
const server = spawn(
  command,
  [
    `-storageDataPath=${dataDir}`,
    `-httpListenAddr=127.0.0.1:${port}`,
    // A field is a metric under its own name, so that the series are the same everywhere.
    "-influxSkipMeasurement",
    "-loggerLevel=ERROR",
  ],
  { stdio: ["ignore", "ignore", "inherit"] },
);
process.once("SIGTERM", () => server.kill("SIGKILL"));
server.once("error", (error) => {
  console.error(error.message);
  process.exit(1);
});
server.once("exit", (code) => process.exit(code ?? 0));
await healthy();
process.send?.({ port, pid: server.pid });

/** It says nowhere which port it got if it is told to take any. */
async function freePort(): Promise<number> {
  const probe = createServer();
  await new Promise<void>((resolve) => probe.listen(0, "127.0.0.1", resolve));
  // A TCP server's address is never a pipe's.
  const free = (probe.address() as AddressInfo).port;
  await new Promise<void>((resolve) => probe.close(() => resolve()));
  return free;
}

async function healthy(): Promise<void> {
  const untilMs = performance.now() + startTimeoutMs;
  while (performance.now() < untilMs) {
    // Refused until it listens.
    const response = await fetch(`http://127.0.0.1:${port}/health`).catch(() => undefined);
    await response?.body?.cancel();
    if (response?.ok) return;
    await sleep(checkMs);
  }
  server.kill("SIGKILL");
  throw new Error(`expected VictoriaMetrics to be healthy within ${startTimeoutMs} ms`);
}
