import { setImmediate as nextTurn } from "node:timers/promises";
import { create } from "@bufbuild/protobuf";
import { Code } from "@connectrpc/connect";
import { ByteBudget, type Outcome } from "@mon/intake";
import type { ReportResponse } from "@mon/proto";
import { type ReportBatch, ReportBatchSchema } from "@mon/proto/wire";
import { afterEach, describe, expect, it, vi } from "vitest";
import { Admission } from "../src/services/admission.ts";
import { answerReports } from "../src/services/report-stream.ts";
import { AsyncQueue } from "./support/async-queue.ts";

afterEach(() => vi.useRealTimers());

/** A stream in process, whose intake answers when a test says so. */
class Harness {
  readonly connection: ByteBudget;
  readonly broker: ByteBudget;
  readonly draining = new AbortController();
  readonly call = new AbortController();
  readonly requests = new AsyncQueue<ReportBatch>();
  readonly answers: AsyncGenerator<ReportResponse>;
  acked = 0;
  refused = 0;
  read = 0;
  /** What was submitted and has no outcome yet, by order of arrival. */
  readonly open: ((outcome: Outcome) => void)[] = [];

  constructor({ connectionBytes = 1e9, brokerBytes = 1e9 } = {}) {
    this.connection = new ByteBudget(connectionBytes);
    this.broker = new ByteBudget(brokerBytes);
    this.answers = answerReports(this.#counted(), {
      intake: { submit: () => new Promise((resolve) => this.open.push(resolve)) },
      admission: new Admission(this.connection, this.broker),
      acked: () => this.acked++,
      refused: (reports) => {
        this.refused += reports;
      },
      draining: this.draining.signal,
      signal: this.call.signal,
    });
  }

  async *#counted(): AsyncGenerator<ReportBatch> {
    for await (const batch of this.requests) {
      this.read++;
      yield batch;
    }
  }

  send(sequence: number, bytes = 10): void {
    this.requests.push(create(ReportBatchSchema, { sequence, reports: [new Uint8Array(bytes)] }));
  }

  /** Lets everything run that can. */
  async settle(): Promise<void> {
    for (let i = 0; i < 10; i++) await nextTurn();
  }
}

const stored: Outcome = {
  reportsStored: 1,
  samplesStored: 1,
  durability: "fsync",
  copies: 1,
  rejections: [],
  refusals: [],
  retryDelayMs: 0,
};

describe("a report stream", () => {
  it("answers each batch by its number, in the order in which outcomes come", async () => {
    const stream = new Harness();
    const first = stream.answers.next();
    for (const sequence of [7, 8, 9]) stream.send(sequence);
    await stream.settle();
    const [seven, eight, nine] = stream.open;
    nine!(stored);
    eight!({ ...stored, samplesStored: 5 });
    seven!(stored);
    expect((await first).value).toMatchObject({ sequence: 9 });
    expect((await stream.answers.next()).value).toMatchObject({ sequence: 8, outcome: { samplesStored: 5 } });
    expect((await stream.answers.next()).value).toMatchObject({ sequence: 7 });
    expect(stream.acked).toBe(3);
    stream.requests.end();
    expect((await stream.answers.next()).done).toBe(true);
  });

  it("is not read beyond 256 unanswered batches (R8), and goes on when one is answered and taken", async () => {
    const stream = new Harness();
    const first = stream.answers.next();
    for (let sequence = 1; sequence <= 400; sequence++) stream.send(sequence);
    await stream.settle();
    expect([stream.read, stream.open.length]).toEqual([256, 256]);
    for (let i = 0; i < 3; i++) stream.open[i]!(stored);
    await stream.settle();
    // Answers count until they are taken, so that a caller who reads none of them is not read either.
    expect(stream.read).toBe(256);
    await first;
    await stream.answers.next();
    await stream.answers.next();
    void stream.answers.next();
    await stream.settle();
    expect(stream.read).toBe(259);
  });

  it.each([
    ["its connection", { connectionBytes: 1_000 }],
    ["the broker", { brokerBytes: 1_000 }],
  ])("is not read while the bytes of %s are under way, and goes on after", async (_, budgets) => {
    const stream = new Harness(budgets);
    const first = stream.answers.next();
    for (let sequence = 1; sequence <= 5; sequence++) stream.send(sequence, 400);
    await stream.settle();
    // Two fit; the third was read, waits, and holds up those behind it.
    expect([stream.open.length, stream.read]).toEqual([2, 3]);
    stream.open[0]!(stored);
    expect((await first).value).toMatchObject({ sequence: 1 });
    await stream.settle();
    expect([stream.open.length, stream.read]).toEqual([3, 4]);
    for (let i = 1; i < 5; i++) {
      stream.open[i]!(stored);
      await stream.answers.next();
      await stream.settle();
    }
    expect([stream.connection.used, stream.broker.used]).toEqual([0, 0]);
  });

  it("refuses a batch, retryably, that found no room for five seconds, and reads on", async () => {
    vi.useFakeTimers({ toFake: ["setTimeout", "clearTimeout"] });
    const timeouts = vi.spyOn(AbortSignal, "timeout").mockImplementation((ms) => {
      const controller = new AbortController();
      setTimeout(() => controller.abort(new DOMException("timed out", "TimeoutError")), ms);
      return controller.signal;
    });
    const stream = new Harness({ connectionBytes: 1_000 });
    const first = stream.answers.next();
    stream.send(1, 900);
    stream.send(2, 900);
    await stream.settle();
    vi.advanceTimersByTime(4_999);
    await stream.settle();
    expect(stream.open).toHaveLength(1);
    vi.advanceTimersByTime(1);
    expect((await first).value).toMatchObject({
      sequence: 2,
      outcome: {
        reportsStored: 0,
        refusals: [{ reportIndex: 0, message: expect.stringContaining("too many bytes") }],
        retryDelayMs: 1_000,
      },
    });
    expect([stream.acked, stream.refused]).toEqual([0, 1]);
    stream.send(3, 50);
    await stream.settle();
    expect([stream.open.length, stream.connection.used]).toEqual([2, 950]);
    timeouts.mockRestore();
  });

  it("answers all it has read when the broker drains, and then ends with UNAVAILABLE", async () => {
    const stream = new Harness();
    const first = stream.answers.next();
    stream.send(1);
    stream.send(2);
    await stream.settle();
    stream.draining.abort();
    stream.send(3);
    await stream.settle();
    expect(stream.open).toHaveLength(2);
    for (const settle of stream.open) settle(stored);
    expect((await first).value).toMatchObject({ sequence: 1 });
    expect((await stream.answers.next()).value).toMatchObject({ sequence: 2 });
    await expect(stream.answers.next()).rejects.toMatchObject({ code: Code.Unavailable });
  });

  it("gives back all room when its caller goes away in the middle", async () => {
    const stream = new Harness({ connectionBytes: 1_000 });
    const first = stream.answers.next();
    for (let sequence = 1; sequence <= 5; sequence++) stream.send(sequence, 400);
    await stream.settle();
    expect(stream.connection.used).toBe(800);
    stream.call.abort();
    stream.requests.end();
    expect((await first).done).toBe(true);
    for (const settle of stream.open) settle(stored);
    await stream.settle();
    expect([stream.connection.used, stream.connection.waiting, stream.broker.used]).toEqual([0, 0, 0]);
  });

  it("passes on what ended the reading, after the answers", async () => {
    const stream = new Harness();
    const failing = answerReports(
      (async function* () {
        yield create(ReportBatchSchema, { sequence: 1, reports: [] });
        throw new RangeError("broken");
      })(),
      {
        intake: { submit: async () => stored },
        admission: new Admission(stream.connection, stream.broker),
        acked: () => {},
        refused: () => {},
        draining: stream.draining.signal,
        signal: stream.call.signal,
      },
    );
    expect((await failing.next()).value).toMatchObject({ sequence: 1 });
    await expect(failing.next()).rejects.toThrow("broken");
  });
});
