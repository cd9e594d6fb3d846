import { createClient } from "@connectrpc/connect";
import { createGrpcTransport, Http2SessionManager } from "@connectrpc/connect-node";
import { Aggregation, QueryService } from "@mon/proto";
import { createReportTemplate, hostDigits } from "./corpus.ts";

/** What became of queries. */
export interface QueryTally {
  readonly finished: number;
  /** Refused, out of time or partial. */
  readonly failed: number;
  /** By the answers that came to an end. */
  readonly samplesRead: number;
}

const hour = 3_600_000;
const minute = 60_000;

/** The questions that are asked in turn, each of a host's turn. */
export const questions = [
  "all series of a host, means of 15 minutes",
  "one metric of every host, means of an hour",
  "one series of a host, as stored",
] as const;

/** A client that asks for long ranges, one query after another. */
export class RangeQueries implements Disposable {
  readonly #session: Http2SessionManager;
  readonly #client;
  readonly #hosts: readonly string[];
  readonly #metric: string;
  readonly #startMs: number;
  readonly #endMs: number;
  #asked = 0;

  /** @param range - that every query covers, in milliseconds since the Unix epoch */
  constructor(port: number, hosts: number, range: { readonly startMs: number; readonly endMs: number }) {
    const baseUrl = `http://127.0.0.1:${port}`;
    this.#session = new Http2SessionManager(baseUrl);
    this.#client = createClient(
      QueryService,
      createGrpcTransport({ baseUrl, sessionManager: this.#session }),
    );
    const { series, hostPrefix } = createReportTemplate("wide");
    this.#hosts = Array.from(
      { length: hosts },
      (_, index) => hostPrefix + String(index).padStart(hostDigits, "0"),
    );
    this.#metric = series[0]!.name;
    this.#startMs = range.startMs;
    this.#endMs = range.endMs;
  }

  /** Asks until time is up; the query under way then is cut off and not counted. */
  async run(durationMs: number): Promise<QueryTally> {
    const timeUp = AbortSignal.timeout(durationMs);
    const tally = { finished: 0, failed: 0, samplesRead: 0 };
    while (!timeUp.aborted) {
      try {
        tally.samplesRead += await this.#ask(this.#asked++, timeUp);
        tally.finished++;
      } catch (error) {
        if (timeUp.aborted) break;
        if (!(error instanceof Error)) throw error;
        tally.failed++;
      }
    }
    return tally;
  }

  [Symbol.dispose](): void {
    this.#session.abort();
  }

  /** @returns samples that were read for it @throws when the answer is an error, or may miss something */
  async #ask(number: number, signal: AbortSignal): Promise<number> {
    const turn = Math.floor(number / questions.length);
    const answers = this.#client.queryRange(
      {
        ...this.#question(number % questions.length, this.#hosts[turn % this.#hosts.length]!),
        startMs: BigInt(this.#startMs),
        endMs: BigInt(this.#endMs),
      },
      { signal },
    );
    for await (const { summary } of answers) {
      if (summary === undefined) continue;
      if (summary.partial) throw new Error(`expected a whole answer, ${summary.missing.join(", ")}`);
      return Number(summary.samplesRead);
    }
    throw new Error("expected a summary at the end of an answer");
  }

  #question(kind: number, host: string) {
    const metric = { name: this.#metric };
    const mean = (stepMs: number) => ({ stepMs: BigInt(stepMs), aggregation: Aggregation.AVG });
    switch (kind) {
      case 0:
        return { hosts: [host], ...mean(15 * minute) };
      case 1:
        return { hosts: [...this.#hosts], ...metric, ...mean(hour) };
      default:
        return { hosts: [host], ...metric, matchers: [{ label: "instance", value: "0" }] };
    }
  }
}
