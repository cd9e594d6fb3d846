import { describe, expect, it } from "vitest";
import type { HostRow } from "../src/host.ts";
import { listHosts, rowWindow, sortAfterClick } from "../src/host-list.ts";
import { hostRow } from "./support/host-row.ts";

const ids = (rows: HostRow[]): string[] => rows.map((row) => row.id);
const rows = [
  hostRow({ id: "web-10", vitals: { cpu: 0.1 } }),
  hostRow({ id: "web-2", vitals: { cpu: 0.9 } }),
  hostRow({ id: "db-1" }),
];

describe("the list of hosts", () => {
  it("stands in natural order", () => {
    expect(ids(listHosts(rows, "", { column: "host", descending: false }))).toEqual([
      "db-1",
      "web-2",
      "web-10",
    ]);
  });

  it("keeps hosts whose id contains the search, in any case", () => {
    expect(ids(listHosts(rows, " WEB ", { column: "host", descending: true }))).toEqual(["web-10", "web-2"]);
  });

  it("puts hosts without the figure last in both directions", () => {
    expect(ids(listHosts(rows, "", { column: "cpu", descending: true }))).toEqual([
      "web-2",
      "web-10",
      "db-1",
    ]);
    expect(ids(listHosts(rows, "", { column: "cpu", descending: false }))).toEqual([
      "web-10",
      "web-2",
      "db-1",
    ]);
  });

  it("turns round on a second click, and begins with the greatest figure", () => {
    const first = sortAfterClick({ column: "host", descending: false }, "cpu");
    expect(first).toEqual({ column: "cpu", descending: true });
    expect(sortAfterClick(first, "cpu")).toEqual({ column: "cpu", descending: false });
  });
});

it("a table of ten thousand rows draws those in view and a few beyond", () => {
  expect(rowWindow(170_000, 408, 34, 10_000)).toEqual({ first: 4_994, end: 5_018 });
  expect(rowWindow(0, 408, 34, 3)).toEqual({ first: 0, end: 3 });
  expect(rowWindow(170_000, 408, 34, 2), "a list that has become short").toEqual({ first: 2, end: 2 });
});
