import { readFileSync } from "node:fs";
import { describe, expect, it } from "vitest";
import { encodeChunk, joinChunk } from "../src/index.ts";
import {
  columnOfGolden,
  columnsOf,
  type GoldenChunk,
  goldenOfColumn,
  idOf,
} from "./support/golden-chunks.ts";

const fixture: GoldenChunk[] = JSON.parse(
  readFileSync(new URL("fixtures/chunks.json", import.meta.url), "utf8"),
);

describe("the published chunks", () => {
  it.each(fixture)("are read as they were written: $title", ({ columns, fast, small }) => {
    expect(columnsOf(Buffer.from(fast, "hex")).map(goldenOfColumn)).toEqual(columns);
    expect(columnsOf(Buffer.from(small, "hex")).map(goldenOfColumn)).toEqual(columns);
  });

  it.each(fixture)("are written with these bytes and this id: $title", ({ columns, fast, id }) => {
    const encoded = encodeChunk(columns.map(columnOfGolden));
    expect(Buffer.from(joinChunk(encoded)).toString("hex")).toBe(fast);
    expect(idOf(encoded)).toBe(id);
  });
});
