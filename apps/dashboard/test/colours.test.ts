import { readFileSync } from "node:fs";
import { describe, expect, it } from "vitest";
import { COLOURS } from "../src/palette.ts";
import {
  colourFromHex,
  contrast,
  type Deficiency,
  difference,
  type LinearColour,
  seenWith,
} from "./support/colour.ts";

const sheet = readFileSync(new URL("../src/styles/tokens.css", import.meta.url), "utf8");
const [light, dark] = sheet.split(':root[data-theme="dark"]') as [string, string];

function colour(theme: string, name: string): LinearColour {
  const hex = new RegExp(`--${name}: (#[0-9a-f]{6});`).exec(theme)?.[1];
  if (hex === undefined) throw new Error(`expected a colour --${name}`);
  return colourFromHex(hex);
}

describe.each([
  ["light", light],
  ["dark", dark],
])("colours of the %s theme", (_, theme) => {
  const lines = Array.from({ length: COLOURS }, (_, index) => colour(theme, `line-${index + 1}`));

  it("stand out from what they are on: lines by 3:1, text by 4.5:1", () => {
    for (const line of lines) expect(contrast(line, colour(theme, "surface"))).toBeGreaterThan(3);
    for (const text of ["text", "muted", "accent", "good", "warning", "bad"]) {
      for (const ground of ["surface", "page", "raised"]) {
        expect(contrast(colour(theme, text), colour(theme, ground)), `${text} on ${ground}`).toBeGreaterThan(
          4.5,
        );
      }
    }
  });

  it.each<Deficiency>(["protanopia", "deuteranopia", "tritanopia"])(
    "of lines are told apart with %s",
    (deficiency) => {
      const seen = lines.map((line) => seenWith(deficiency, line));
      for (const [index, a] of seen.entries()) {
        for (const [offset, b] of seen.slice(index + 1).entries()) {
          const pair = `${index + 1} and ${index + 2 + offset}`;
          expect(difference(a, b), pair).toBeGreaterThan(10);
        }
      }
    },
  );
});
