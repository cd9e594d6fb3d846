import { expect, test } from "vitest";
import { MessageBuffers } from "../src/doors/message-buffers.ts";

const kib = 1024;

test("memory that was given back is used again, and only once", () => {
  const buffers = new MessageBuffers();
  const first = buffers.take(100 * kib);
  expect(first.length).toBe(128 * kib);
  buffers.give(first.subarray(5, 10));
  buffers.give(first);
  expect(buffers.take(128 * kib).buffer).toBe(first.buffer);
  expect(buffers.take(128 * kib).buffer).not.toBe(first.buffer);
});

test("memory that it did not hand out is left alone", () => {
  const buffers = new MessageBuffers();
  const foreign = Buffer.allocUnsafeSlow(64 * kib);
  buffers.give(foreign);
  expect(buffers.take(64 * kib).buffer).not.toBe(foreign.buffer);
});

test("no more is kept than it was told, and nothing large", () => {
  const buffers = new MessageBuffers(128 * kib);
  const lent = [buffers.take(1), buffers.take(1), buffers.take(1)];
  for (const buffer of lent) buffers.give(buffer);
  const again = [buffers.take(1), buffers.take(1), buffers.take(1)].map(({ buffer }) => buffer);
  expect(lent.filter(({ buffer }) => again.includes(buffer))).toHaveLength(2);
  const large = buffers.take(2048 * kib);
  buffers.give(large);
  expect(buffers.take(2048 * kib).buffer).not.toBe(large.buffer);
});
