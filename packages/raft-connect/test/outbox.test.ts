import type { Message } from "@mon/raft";
import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { messageBytesMax } from "../src/batch.ts";
import { Outbox } from "../src/outbox.ts";
import { check, message } from "./arbitraries.ts";
import { append, heartbeat, readIndex } from "./support.ts";

function outboxOf(limits: { messages?: number; bytes?: number }): Outbox {
  return new Outbox({ maxQueuedMessages: limits.messages ?? 100, maxQueuedBytes: limits.bytes ?? 1 << 20 });
}

function push(outbox: Outbox, ...messages: Message[]): number {
  return messages.reduce((lost, one) => lost + outbox.push(one, messageBytesMax(one)), 0);
}

describe("an outbox", () => {
  it("gives messages in the order in which they came, as many as fit in a batch", () => {
    const outbox = outboxOf({});
    const messages = [1, 2, 3].map((number) => readIndex("a", "b", number));
    expect(push(outbox, ...messages)).toBe(0);
    expect(outbox.take(2 * messageBytesMax(messages[0]!))).toEqual(messages.slice(0, 2));
    expect(outbox.take(1)).toEqual(messages.slice(2));
    expect(outbox.take(1)).toBe(undefined);
    expect(outbox.bytes).toBe(0);
  });

  it("keeps the newest heartbeat only, and loses nothing by it", () => {
    const outbox = outboxOf({});
    const [first, second] = [heartbeat("a", "b", 1), heartbeat("a", "b", 2)];
    const between = readIndex("a", "b", 1);
    expect(push(outbox, first, between, second)).toBe(0);
    expect(outbox.take(1 << 20)).toEqual([between, second]);
  });

  it("without room drops the appends with entries first, all of them", () => {
    const outbox = outboxOf({ messages: 4 });
    const [read, beat, last] = [readIndex("a", "b", 1), heartbeat("a", "b", 1), readIndex("a", "b", 2)];
    expect(push(outbox, read, append("a", "b", 1, 10), beat, append("a", "b", 2, 10), last)).toBe(2);
    expect(outbox.take(1 << 20)).toEqual([read, beat, last]);
  });

  it("without room and appends drops the oldest", () => {
    const outbox = outboxOf({ messages: 2 });
    const reads = [1, 2, 3].map((number) => readIndex("a", "b", number));
    expect(push(outbox, ...reads)).toBe(1);
    expect(outbox.take(1 << 20)).toEqual(reads.slice(1));
  });

  it("is within its bounds and has the newest message, whatever comes", () => {
    check(
      fc.property(fc.array(message, { maxLength: 40 }), (messages) => {
        const outbox = outboxOf({ messages: 7, bytes: 16_384 });
        for (const one of messages) {
          push(outbox, one);
          expect(outbox.size).toBeLessThanOrEqual(7);
          expect(outbox.bytes).toBeLessThanOrEqual(16_384);
        }
        const left = outbox.take(1 << 20) ?? [];
        expect(left.at(-1)).toBe(messages.at(-1));
        expect(outbox.bytes).toBe(0);
      }),
      200,
    );
  });

  it("says how much is lost when it is cleared", () => {
    const outbox = outboxOf({});
    push(outbox, readIndex("a", "b", 1), readIndex("a", "b", 2));
    expect(outbox.clear()).toBe(2);
    expect(outbox.size).toBe(0);
  });
});
