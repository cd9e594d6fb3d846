import { ConnectError, createClient } from "@connectrpc/connect";
import { createGrpcTransport } from "@connectrpc/connect-node";
import { Durability, MonitorService, type Outcome } from "@mon/proto";
import { expect } from "vitest";
import { AsyncQueue } from "./async-queue.ts";
import type { BrokerProcess } from "./broker-process.ts";
import { Ledger } from "./ledger.ts";
import { reportOf } from "./reports.ts";

const batchReports = 50;
const windowBatches = 8;
const hosts = ["web-1", "web-2", "db.eu-1", "cache_9"];

/** Reports of a batch, by host and instant. */
type Batch = readonly { readonly hostId: string; readonly timestampMs: number }[];

/** What a round was like. */
export interface Round {
  /** Reports acknowledged in this round. */
  readonly acked: number;
  /** Batches that were under way when the stream ended. */
  readonly unanswered: number;
}

/** Streams numbered reports of several hosts, and keeps its own account of them. */
export class Writer {
  readonly #ledger: Ledger;
  readonly #startMs: number;
  #reports = 0;
  /** What had no outcome when its broker died; sent again to the next one, as an agent does. */
  #unanswered: Batch[] = [];

  constructor(ledger: Ledger, startMs: number) {
    this.#ledger = ledger;
    this.#startMs = startMs;
  }

  /**
   * Writes with a full window until the stream ends. Once so many reports are acknowledged, `end` is called, with
   * batches under way.
   */
  async write(broker: BrokerProcess, ackedTarget: number, end: () => Promise<unknown>): Promise<Round> {
    const client = createClient(MonitorService, createGrpcTransport({ baseUrl: broker.grpcUrl }));
    const underWay = new Map<number, Batch>();
    const queue = new AsyncQueue<{ sequence: number; reports: ReturnType<typeof reportOf>[] }>();
    const ackedBefore = this.#ledger.acked;
    let sequence = 0;
    const send = (batch: Batch): void => {
      underWay.set(++sequence, batch);
      const reports = batch.map(({ hostId, timestampMs }) => {
        this.#ledger.send(hostId, timestampMs);
        return reportOf(hostId, timestampMs, [
          { name: "ledger_value", value: Ledger.value(hostId, timestampMs) },
        ]);
      });
      queue.push({ sequence, reports });
    };
    for (const batch of this.#unanswered) send(batch);
    while (underWay.size < windowBatches) send(this.#nextBatch());

    let ending: Promise<unknown> | undefined;
    try {
      for await (const { sequence: answered, outcome } of client.report(queue)) {
        this.#settle(underWay.get(answered)!, outcome!);
        underWay.delete(answered);
        send(this.#nextBatch());
        if (ending === undefined && this.#ledger.acked - ackedBefore >= ackedTarget) ending = end();
      }
    } catch (error) {
      // The stream of a broker that dies ends in an error; which one depends on where it was.
      if (!(error instanceof ConnectError)) throw error;
    }
    queue.end();
    await ending;
    this.#unanswered = [...underWay.values()];
    return { acked: this.#ledger.acked - ackedBefore, unanswered: underWay.size };
  }

  #settle(batch: Batch, outcome: Outcome): void {
    expect(outcome).toMatchObject({ rejections: [], durability: Durability.FSYNC, copies: 1 });
    const refused = new Set(outcome.refusals.map(({ reportIndex }) => reportIndex));
    for (const [i, { hostId, timestampMs }] of batch.entries()) {
      if (!refused.has(i)) this.#ledger.ack(hostId, timestampMs);
    }
  }

  #nextBatch(): Batch {
    return Array.from({ length: batchReports }, () => {
      const number = this.#reports++;
      return { hostId: hosts[number % hosts.length]!, timestampMs: this.#startMs + number };
    });
  }
}
