import { arch, cpus, release, type } from "node:os";
import type { MonClient, ReportInput } from "@mon/client";
import { Reason } from "@mon/proto";
import type { Logger } from "pino";
import type { Collection } from "./collection.ts";
import { exitCodes } from "./exit-code.ts";
import { LogLimiter } from "./log-limiter.ts";

/** How often the account of what was sent is logged. */
const summaryMs = 60_000;

/** How long `--once` waits for its outcome. */
const onceTimeoutMs = 15_000;

/** Time between the two readings that a share of CPU time needs before the first report. */
const firstReadingMs = 500;

/** What an agent works with. */
export interface AgentDeps {
  readonly client: MonClient;
  readonly collection: Collection;
  readonly log: Logger;
  readonly hostId: string;
  readonly version: string;
  readonly brokers: readonly string[];
}

/** What became of the one report of `--once`. */
export interface OnceResult {
  readonly exitCode: number;
  /** For people. */
  readonly summary: string;
}

/** Takes a first reading, so that the next has something to compare with. */
export async function takeFirstReading(
  collection: Collection,
  intervalMs: number,
  signal?: AbortSignal,
): Promise<void> {
  await collection.collect();
  await wait(Math.min(firstReadingMs, intervalMs), signal);
}

/** Reads the machine. The instant is that of the beginning. */
export async function readMachine(collection: Collection, hostId: string): Promise<ReportInput> {
  const timestampMs = Date.now();
  return { hostId, timestampMs, samples: await collection.collect() };
}

/** Reports one machine for as long as it runs. */
export class Agent {
  readonly #deps: AgentDeps;
  readonly #limiter = new LogLimiter();

  constructor(deps: AgentDeps) {
    this.#deps = deps;
  }

  /**
   * Reports every `intervalMs` until the signal fires, then gives what is left to the brokers and stops the client.
   * Rounds keep to the interval's grid; one that takes longer leaves out those it missed.
   */
  async run(intervalMs: number, signal: AbortSignal): Promise<void> {
    const { client, collection, log, hostId } = this.#deps;
    this.#logEvents();
    client.start();
    this.#register(signal);
    const summary = setInterval(() => log.info({ ledger: client.ledger }, "ledger"), summaryMs);
    await takeFirstReading(collection, intervalMs, signal);
    const startMs = Date.now();
    for (let round = 1; !signal.aborted; ) {
      const report = await readMachine(collection, hostId);
      if (report.samples.length > 0) client.report(report);
      const elapsedMs = Date.now() - startMs;
      round = Math.max(round, Math.floor(elapsedMs / intervalMs) + 1);
      await wait(startMs + round * intervalMs - Date.now(), signal);
      round += 1;
    }
    clearInterval(summary);
    await client.stop();
    log.info({ ledger: client.ledger }, "stopped");
  }

  /** Sends one report and waits for its outcome, or until every broker was tried in vain. */
  async once(signal: AbortSignal): Promise<OnceResult> {
    const { client, collection, hostId, brokers } = this.#deps;
    const abort = new AbortController();
    const failures = new Map<string, string>();
    client.on("disconnected", ({ broker, error }) => {
      failures.set(broker, error?.message ?? "the broker let go");
      if (failures.size === new Set(brokers).size) abort.abort();
    });
    const reasons: string[] = [];
    client.on("rejected", ({ rejections }) => {
      for (const { field, message } of rejections) reasons.push(`${field}: ${message}`);
    });
    await takeFirstReading(collection, firstReadingMs, signal);
    client.report(await readMachine(collection, hostId));
    client.start();
    const deadline = AbortSignal.any([signal, abort.signal, AbortSignal.timeout(onceTimeoutMs)]);
    const isSettled = await client.flush({ signal: deadline }).then(
      () => true,
      () => false,
    );
    const { samples } = client.ledger;
    await client.stop();
    if (!isSettled) {
      const why = [...failures].map(([broker, error]) => `${broker}: ${error}`);
      return {
        exitCode: exitCodes.unreachable,
        summary: `no broker took the report of ${samples.sent} samples\n${why.join("\n")}`.trim(),
      };
    }
    const summary = `${hostId}: ${samples.sent} samples sent, ${samples.acked} stored, ${samples.rejected} rejected`;
    return {
      exitCode: samples.acked === samples.sent ? exitCodes.ok : exitCodes.incomplete,
      summary: [summary, ...reasons].join("\n"),
    };
  }

  #register(signal: AbortSignal): void {
    const { client, log, hostId, version } = this.#deps;
    const metadata = {
      os: `${type()} ${release()}`,
      architecture: arch(),
      cpus: String(cpus().length),
      node: process.version,
    };
    client.register({ hostId, agentName: "mon-agent", agentVersion: version, metadata }, { signal }).then(
      ({ brokerId, brokerVersion }) => log.info({ brokerId, brokerVersion }, "registered"),
      (error: Error) => {
        if (error.name !== "AbortError") log.warn({ err: error }, "the broker did not take the registration");
      },
    );
  }

  #logEvents(): void {
    const { client, log } = this.#deps;
    client.on("connected", ({ broker }) => log.info({ broker }, "connected"));
    client.on("disconnected", ({ broker, error, retryMs }) => {
      const fields = { broker, retryMs, code: error?.code, reason: error?.message };
      if (error === undefined) log.info(fields, "disconnected");
      else if (this.#limiter.allows(`disconnected ${broker} ${error.code}`, Date.now()))
        log.warn(fields, "disconnected");
      else log.debug(fields, "disconnected");
    });
    client.on("rejected", ({ samples, reports, rejections }) => {
      for (const { name, reason, field, message } of rejections) {
        if (!this.#limiter.allows(`rejected ${reason} ${name}`, Date.now())) continue;
        log.warn({ name, reason: reasonName(reason), field, message }, "rejected");
      }
      log.debug({ samples, reports }, "rejected in all");
    });
    client.on("dropped", (drop) => {
      if (this.#limiter.allows(`dropped ${drop.reason}`, Date.now())) log.warn(drop, "dropped");
      else log.debug(drop, "dropped");
    });
  }
}

function reasonName(reason: Reason): string {
  return Object.entries(Reason).find(([, value]) => value === reason)?.[0] ?? String(reason);
}

/** Waits, unless the signal fires first. */
async function wait(ms: number, signal: AbortSignal | undefined): Promise<void> {
  if (signal?.aborted) return;
  const { promise, resolve } = Promise.withResolvers<void>();
  const timer = setTimeout(resolve, Math.max(0, ms));
  const onAbort = (): void => resolve();
  signal?.addEventListener("abort", onAbort, { once: true });
  await promise;
  clearTimeout(timer);
  signal?.removeEventListener("abort", onAbort);
}
