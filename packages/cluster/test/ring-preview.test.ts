import { createRing } from "@mon/hashring";
import { expect, it } from "vitest";
import { previewRing } from "../src/index.ts";

const three = createRing({ members: [{ id: "a" }, { id: "b" }, { id: "c" }] });

it("a newcomer gets a share, and nothing else moves", () => {
  const preview = previewRing(three, three.add({ id: "d" }));
  const [d] = preview.shares.filter(({ nodeId }) => nodeId === "d");
  expect(d?.before).toBe(0);
  expect(preview.moved).toBeCloseTo(d!.after, 9);
  expect(preview.flows).toEqual([{ to: "d", from: ["a", "b", "c"], share: preview.moved }]);
  expect(preview.shares.reduce((sum, { after }) => sum + after, 0)).toBeCloseTo(1, 9);
});

it("two copies instead of one are a copy of everything", () => {
  const members = [{ id: "a" }, { id: "b" }, { id: "c" }];
  const preview = previewRing(three, createRing({ members, parameters: { replicationFactor: 2 } }));
  expect([preview.moved, preview.copies]).toEqual([1, 1]);
});

it("nothing moves when nothing changes", () => {
  expect(previewRing(three, three)).toMatchObject({ moved: 0, copies: 0, flows: [] });
});
