import { expect, it } from "vitest";
import { choiceAfterClick, chosenHosts } from "../src/choice.ts";
import { HOSTS_MAX } from "../src/page-state.ts";
import { lineStyle, lineStyles } from "../src/palette.ts";
import { hostRow } from "./support/host-row.ts";

it("without a choice the first four hosts that report are shown", () => {
  const rows = ["web-10", "web-2", "a", "b", "c"].map((id) => hostRow({ id }));
  rows.push(hostRow({ id: "0-gone", freshness: "silent" }));
  expect(chosenHosts(rows, [])).toEqual(["a", "b", "c", "web-2"]);
  expect(chosenHosts(rows, ["web-10"])).toEqual(["web-10"]);
});

it("a click chooses a host, a second one lets it go, and a ninth host takes the place of the first", () => {
  expect(choiceAfterClick([], "a")).toEqual(["a"]);
  expect(choiceAfterClick(["a", "b"], "a")).toEqual(["b"]);
  const full = Array.from({ length: HOSTS_MAX }, (_, index) => `h${index}`);
  expect(choiceAfterClick(full, "new")).toEqual([...full.slice(1), "new"]);
});

it("no two of sixteen lines look alike", () => {
  const looks = Array.from({ length: 16 }, (_, index) => JSON.stringify(lineStyle(index)));
  expect(new Set(looks).size).toBe(16);
});

it("lines of one host share its colour and differ by dashes", () => {
  const [a1, a2, b1] = lineStyles(["a", "a", "b"], ["b", "a"]);
  expect([a1?.colour, a2?.colour, b1?.colour]).toEqual([2, 2, 1]);
  expect(a1?.dash).not.toEqual(a2?.dash);
});
