import { createRouterTransport } from "@connectrpc/connect";
import { QueryService } from "@mon/proto";
import { describe, expect, it } from "vitest";
import { Broker } from "../src/broker.ts";
import { BrokerClock } from "../src/broker-clock.ts";

const { signal } = new AbortController();
const grid = { startMs: 0, endMs: 10_000, stepMs: 1_000 };
const question = { hosts: ["a"], name: "x", grid, rate: false };

function brokerThatStreams(answer: (stepMs: number, startMs: number) => AsyncIterable<object>): Broker {
  return new Broker(
    createRouterTransport(({ service }) =>
      service(QueryService, {
        queryRange: (request) => answer(Number(request.stepMs), Number(request.startMs)),
      }),
    ),
  );
}

describe("an answer over a range", () => {
  it("is whole when its summary says so", async () => {
    const broker = brokerThatStreams(async function* () {
      yield { series: [{ values: [1] }] };
      yield { series: [{ values: [2] }], summary: { series: 2 } };
    });
    const answer = await broker.range(question, signal);
    expect(answer.value.map(({ values }) => values)).toEqual([[1], [2]]);
    expect(answer.missing).toEqual([]);
  });

  it("is partial when its summary says so", async () => {
    const broker = brokerThatStreams(async function* () {
      yield { summary: { partial: true, missing: ["block 7"] } };
    });
    expect((await broker.range(question, signal)).missing).toEqual(["block 7"]);
  });

  it("is partial when it ends without a summary", async () => {
    const broker = brokerThatStreams(async function* () {
      yield { series: [] };
    });
    expect((await broker.range(question, signal)).missing).toEqual(["the answer was cut short"]);
  });
});

describe("the rhythm of a metric", () => {
  it("is the usual distance of two samples, of the slowest host", async () => {
    const broker = brokerThatStreams(async function* () {
      yield {
        series: [{ offsetsMs: [0, 1_000, 2_000, 9_000] }, { offsetsMs: [0, 15_000, 30_000] }],
        summary: {},
      };
    });
    expect(await broker.interval(["a"], "x", 100_000, signal)).toBe(15_000);
  });

  it("is looked for further back when there are fewer than two recent samples", async () => {
    const broker = brokerThatStreams(async function* (_, startMs) {
      const far = startMs < 0;
      yield { series: [{ offsetsMs: far ? [0, 300_000] : [0] }], summary: {} };
    });
    expect(await broker.interval(["a"], "x", 100_000, signal)).toBe(300_000);
  });
});

it("the page tells the time as the broker has it", () => {
  let here = 1_000;
  const clock = new BrokerClock(() => here);
  expect(clock.now()).toBe(1_000);
  clock.set(61_000);
  here += 500;
  expect(clock.now()).toBe(61_500);
});
