import { expect, it } from "vitest";
import { gridAction } from "../src/grid-key.ts";

const at = (active: number) => ({ active, rows: 100, rowsInView: 12 });

it("arrows move by a row, pages by what is in view but one, and neither beyond the ends", () => {
  expect(gridAction("ArrowDown", at(3))).toEqual({ kind: "move", to: 4 });
  expect(gridAction("ArrowDown", at(99))).toEqual({ kind: "move", to: 99 });
  expect(gridAction("PageDown", at(3))).toEqual({ kind: "move", to: 14 });
  expect(gridAction("PageUp", at(3))).toEqual({ kind: "move", to: 0 });
  expect(gridAction("End", at(3))).toEqual({ kind: "move", to: 99 });
});

it("the arrow up leaves the grid from its first row", () => {
  expect(gridAction("ArrowUp", at(0))).toEqual({ kind: "leave" });
});

it("Enter toggles the active row, if there is one", () => {
  expect(gridAction("Enter", at(7))).toEqual({ kind: "toggle", row: 7 });
  expect(gridAction("Enter", at(-1))).toBeNull();
});

it("other keys are left alone", () => {
  expect(gridAction("Tab", at(3))).toBeNull();
});
