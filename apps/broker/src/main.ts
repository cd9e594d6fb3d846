#!/usr/bin/env node
import { hostname } from "node:os";
import { join, resolve } from "node:path";
import { setImmediate } from "node:timers/promises";
import { type BrokerConfig, ConfigError, printConfig } from "@mon/config";
import { LevelStore, type LevelStoreLogger } from "@mon/level-store";
import { RaftError } from "@mon/raft";
import { MemoryStore, type MetricStore, StoreError } from "@mon/store";
import { Broker } from "./broker.ts";
import { ClusterNode } from "./cluster/cluster-node.ts";
import { ClusterStartError } from "./cluster/cluster-start-error.ts";
import { IdentityFile } from "./cluster/identity-file.ts";
import { readPeerTls } from "./cluster/peer-tls.ts";
import { readCommandLine } from "./command-line.ts";
import { Page } from "./doors/page.ts";
import { ExitCode } from "./exit-code.ts";
import { createLogger, type Logger } from "./logger.ts";
import { makeDirectory } from "./make-directory.ts";
import { systemClock } from "./system-clock.ts";
import { readTlsFiles } from "./tls-files.ts";
import { version } from "./version.ts";

/** What `listen` fails with when the port or the address is not to be had. */
const listenErrors = new Set<unknown>(["EADDRINUSE", "EADDRNOTAVAIL", "EACCES", "ENOTFOUND", "EAI_AGAIN"]);
/** Codes of a log of the cluster that is locked, damaged, or cannot be written. */
const unusableLog = /^RAFT_(STORAGE|LOG|SNAPSHOT|WRONG)_/;
/** The web page, beside this app in a checkout. */
const pageDirectory = resolve(import.meta.dirname, "../../dashboard/dist");

try {
  await main();
} catch (error) {
  fail(error);
}

async function main(): Promise<void> {
  const { loaded, action } = readCommandLine(process.argv.slice(2), process.env);
  const { config } = loaded;
  if (action === "check") {
    process.stdout.write("the configuration is valid\n");
    return;
  }
  if (action === "print") {
    process.stdout.write(printConfig(loaded, { origins: true }));
    return;
  }
  const logger = createLogger(config.nodeId, config.log.level);
  const { store, location, storeId } = createStore(config, logger);
  const broker = new Broker({
    config,
    store,
    storeLocation: location,
    storeId,
    page: await Page.load(pageDirectory),
    tls: readTlsFiles(config),
    cluster: createCluster(config, store.kind, logger),
    hostNames: [hostname(), config.nodeId, config.listen.address],
    clock: systemClock,
    logger,
  });
  const addresses = await broker.start();
  stopOnSignal(broker, config.shutdown.drainTimeoutMs, logger);
  const scheme = config.tls.certFile === undefined ? "http" : "https";
  const shown = config.listen.address.includes(":") ? `[${config.listen.address}]` : config.listen.address;
  if (config.insecure)
    logger.warn("listening without encryption or authentication: whoever reaches the ports reads and writes");
  logger.info(
    {
      ...addresses,
      grpc: `${scheme}://${shown}:${addresses.grpcPort}`,
      http: `${scheme}://${shown}:${addresses.httpPort}`,
    },
    "serving",
  );
}

/** Stops the broker at the first signal, and ends the process at the second, or when the first takes too long. */
function stopOnSignal(broker: Broker, drainTimeoutMs: number, logger: Logger): void {
  let isStopping = false;
  for (const signal of ["SIGTERM", "SIGINT"] as const) {
    process.on(signal, () => {
      if (isStopping) process.exit(ExitCode.broken);
      isStopping = true;
      logger.info({ signal }, "stopping");
      setTimeout(() => {
        logger.error(`expected to stop within ${drainTimeoutMs} ms, giving up: the store does not answer`);
        process.exit(ExitCode.broken);
      }, drainTimeoutMs).unref();
      broker.stop().then(
        () => {
          logger.info("stopped");
          process.exit(ExitCode.drained);
        },
        (error: unknown) => fail(error),
      );
    });
  }
}

/** @returns undefined for a broker that is alone */
function createCluster(config: BrokerConfig, storeKind: string, logger: Logger): ClusterNode | undefined {
  const tls = readPeerTls(config);
  const identity = IdentityFile.open(config);
  if (identity === undefined) return undefined;
  const scope = storeKind === "redis" ? "shared" : "local";
  return new ClusterNode({ config, identity, scope, version, tls, logger, fatal: fail });
}

function createStore(
  config: BrokerConfig,
  logger: LevelStoreLogger,
): { store: MetricStore; location: string; storeId: () => string } {
  const maxSeriesPerHost = config.limits.seriesPerHostMax;
  if (config.store.kind === "memory")
    return {
      store: new MemoryStore({ maxSeriesPerHost, breathe: setImmediate }),
      location: "memory",
      storeId: () => "",
    };
  const directory = join(config.dataDir, "store");
  try {
    makeDirectory(resolve(config.dataDir));
  } catch (cause) {
    const reason = cause instanceof Error ? cause.message : String(cause);
    throw new StoreError(
      "STORE_UNUSABLE",
      `expected a data directory that can be written, got ${config.dataDir}: ${reason}`,
      { cause },
    );
  }
  const options = { ...config.store.level, maxSeriesPerHost };
  const store = new LevelStore({ directory, now: systemClock.now, logger, options });
  return { store, location: directory, storeId: () => store.storeId };
}

/** Says in one line what went wrong, and ends the process with the code for it. */
function fail(error: unknown): never {
  const code = exitCode(error);
  const text =
    error instanceof Error
      ? code === ExitCode.broken
        ? (error.stack ?? error.message)
        : error.message
      : String(error);
  process.stderr.write(`mon-broker: ${text}\n`);
  process.exit(code);
}

function exitCode(error: unknown): ExitCode {
  if (error instanceof ConfigError) return ExitCode.configInvalid;
  if (error instanceof StoreError) return ExitCode.dataUnusable;
  if (error instanceof ClusterStartError) return error.exitCode;
  if (error instanceof RaftError && unusableLog.test(error.code)) return ExitCode.dataUnusable;
  const code = error instanceof Error && "code" in error ? error.code : undefined;
  return listenErrors.has(code) ? ExitCode.portUnavailable : ExitCode.broken;
}
