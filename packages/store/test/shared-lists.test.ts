import { expect, it } from "vitest";
import { SharedLists } from "../src/catalogue/shared-lists.ts";

const doubled = (list: Int32Array): Int32Array => list.map((number) => 2 * number);

it("equal lists share what was made of the first", () => {
  const lists = new SharedLists();
  const first = lists.made(Int32Array.of(1, 2), doubled);
  expect([...first]).toEqual([2, 4]);
  expect(lists.made(Int32Array.of(1, 2), doubled)).toBe(first);
  expect([...lists.made(Int32Array.of(2, 1), doubled)]).toEqual([4, 2]);
  expect([...lists.made(Int32Array.of(), doubled)]).toEqual([]);
});

it("lists that are too many are forgotten, and made anew", () => {
  const lists = new SharedLists();
  const first = lists.made(Int32Array.of(1, 2), doubled);
  for (let i = 0; i < 5; i++) lists.made(new Int32Array(1_000_000).fill(i), (list) => list);
  const again = lists.made(Int32Array.of(1, 2), doubled);
  expect(again).toEqual(first);
  expect(again).not.toBe(first);
});
