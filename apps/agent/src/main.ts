#!/usr/bin/env node
import { readFileSync } from "node:fs";
import { constants } from "node:os";
import { createClient } from "@mon/client";
import { destination, type Logger, pino } from "pino";
import manifest from "../package.json" with { type: "json" };
import { Agent, readMachine, takeFirstReading } from "./agent.ts";
import { Collection } from "./collection.ts";
import { exitCodes } from "./exit-code.ts";
import { expositionOf } from "./exposition.ts";
import { collectorsOf } from "./platform.ts";
import { type Settings, settingsFrom } from "./settings.ts";

/** One report must fit; the rest waits for brokers for this many reports: at 1 s about an hour and a half. */
const bufferReportsMax = 5_000;

const { version } = manifest;

async function main(): Promise<number> {
  const settings = settingsFrom(process.argv.slice(2), version, {
    out: (text) => process.stdout.write(text),
    error: (text) => process.stderr.write(text),
  });
  if ("isUsageError" in settings) return settings.isUsageError ? exitCodes.usage : exitCodes.ok;
  const ca = readAuthority(settings.caFile);
  if (ca instanceof Error) {
    process.stderr.write(`error: expected --ca to be a file that can be read, got ${ca.message}\n`);
    return exitCodes.usage;
  }
  // Written at once: a line that explains an exit must not be lost by it.
  const log = pino(
    { level: settings.logLevel, base: { hostId: settings.hostId } },
    destination({ fd: 2, sync: true }),
  );
  process.on("uncaughtException", (error) => {
    log.fatal({ err: error }, "broken");
    process.exit(exitCodes.broken);
  });
  if (settings.changedHostName !== undefined) {
    log.warn({ hostName: settings.changedHostName }, "the host name is no host id; characters were replaced");
  }
  return run(settings, ca, log);
}

/** The certificates that a file holds, in PEM, or why it cannot be read; undefined when there is no file. */
function readAuthority(file: string | undefined): Buffer | Error | undefined {
  if (file === undefined) return undefined;
  try {
    return readFileSync(file);
  } catch (error) {
    return error instanceof Error ? error : new Error(String(error));
  }
}

async function run(settings: Settings, ca: Buffer | undefined, log: Logger): Promise<number> {
  const { hostId, brokers, intervalMs, task, json } = settings;
  const collection = new Collection(await collectorsOf(process.platform, settings.collectors), {
    onFailed: (collector, error) =>
      log.error({ collector, err: error }, "a collector failed; the others go on"),
    onRecovered: (collector) => log.info({ collector }, "a collector works again"),
  });
  const { signal } = stopOnSignals(log);
  if (task === "print") {
    await takeFirstReading(collection, intervalMs, signal);
    const report = await readMachine(collection, hostId);
    process.stdout.write(json ? `${JSON.stringify(report, null, 2)}\n` : expositionOf(report.samples));
    return exitCodes.ok;
  }
  // With `--once` what is not settled at the end is lost, and waiting longer would not help.
  const stopTimeoutMs = task === "once" ? 500 : 5_000;
  const client = createClient({
    brokers,
    bufferReportsMax,
    stopTimeoutMs,
    ...(ca !== undefined && { tls: { ca } }),
  });
  const agent = new Agent({ client, collection, log, hostId, version, brokers });
  if (task === "report") {
    log.info({ brokers, intervalMs, collectors: [...settings.collectors], version }, "started");
    await agent.run(intervalMs, signal);
    return exitCodes.ok;
  }
  const { exitCode, summary } = await agent.once(signal);
  const text = json ? JSON.stringify({ exitCode, summary, ledger: client.ledger }) : summary;
  (exitCode === exitCodes.ok || json ? process.stdout : process.stderr).write(`${text}\n`);
  return exitCode;
}

/** The first SIGTERM or SIGINT asks for a stop in good order; the second ends the process at once. */
function stopOnSignals(log: Logger): AbortController {
  const abort = new AbortController();
  const onSignal = (name: "SIGTERM" | "SIGINT"): void => {
    if (abort.signal.aborted) process.exit(128 + constants.signals[name]);
    log.info({ signal: name }, "stopping");
    abort.abort();
  };
  process.on("SIGTERM", () => onSignal("SIGTERM"));
  process.on("SIGINT", () => onSignal("SIGINT"));
  return abort;
}

// Set rather than exited: what was written to a pipe still goes out. All sockets and timers are closed by now. A fault
// rejects, which ends up with the handler of uncaught exceptions.
process.exitCode = await main();
