import fc from "fast-check";
import { RE2JS } from "re2js";
import { describe, expect, it } from "vitest";
import { compileExpression } from "../src/expression.ts";
import { check } from "./support/check.ts";

const pieces = [
  "a",
  "b",
  "ab",
  "A",
  "_",
  "-",
  "|",
  "|",
  "(",
  ")",
  "(?:",
  ".",
  ".*",
  ".+",
  "*",
  "+",
  "?",
  "{2}",
];
const rarePieces = [
  "[ab]",
  "[(]",
  "[|]",
  "^",
  "$",
  "\\",
  "\\.",
  "\\|",
  "\\\\",
  "\\d",
  "\\Qa|b\\E",
  "\\pL",
  "(?i)",
  "é",
  "\u{1f600}",
  "\n",
  "[^a]",
  ".*?",
  "\\b",
  "\\z",
];
const expression = fc
  .array(fc.oneof({ weight: 4, arbitrary: fc.constantFrom(...pieces) }, fc.constantFrom(...rarePieces)), {
    maxLength: 7,
  })
  .map((parts) => parts.join(""));
const text = fc
  .array(
    fc.constantFrom("a", "b", "ab", "A", "_", "-", ".", "|", "\\", "1", "é", "\u{1f600}", "\n", "(", "$"),
    {
      maxLength: 5,
    },
  )
  .map((parts) => parts.join(""));

function oracle(of: string): RE2JS | undefined {
  try {
    return RE2JS.compile(of, RE2JS.DOTALL);
  } catch {
    return undefined;
  }
}

describe("an expression", () => {
  it("matches what RE2 matches, refuses what RE2 refuses, and lists nothing but all that matches", () => {
    let compared = 0;
    check(
      fc.property(expression, fc.array(text, { minLength: 1, maxLength: 8 }), (given, texts) => {
        const pattern = oracle(given);
        if (pattern === undefined) {
          expect(() => compileExpression(given)).toThrow();
          return;
        }
        const compiled = compileExpression(given);
        for (const one of [...texts, ...(compiled.literals ?? [])]) {
          compared++;
          expect([one, compiled.matches(one)]).toEqual([one, pattern.matches(one)]);
          if (compiled.literals !== undefined) expect(compiled.literals.has(one)).toBe(pattern.matches(one));
        }
      }),
      3_000,
    );
    expect(compared).toBeGreaterThan(3_000);
  });

  it.each([
    ["user", ["user"]],
    ["user|system", ["user", "system"]],
    ["(user|system)", ["user", "system"]],
    ["^(?:user|system)$", ["user", "system"]],
    ["sda|", ["sda", ""]],
    ["a\\.b\\|c", ["a.b|c"]],
    ["", [""]],
  ])("that lists texts is not run: %s", (given, literals) => {
    const compiled = compileExpression(given);
    expect([...(compiled.literals ?? [])]).toEqual(literals);
    expect(compiled.runs).toBe(false);
  });

  it.each(["web-.*", "web-.+", ".*", ".+", "web-.*|db-.*", "(web-.*|db)"])(
    "that gives the beginning of texts is not run: %s",
    (given) => {
      const compiled = compileExpression(given);
      expect([compiled.runs, compiled.literals]).toEqual([false, undefined]);
    },
  );

  it.each(["[ab]", "a?", "a*", "a{2}", "\\d+", "(?i)a", "a.b", ".*a", "(a|b)c", "a(b|c)", "a.*?"])(
    "that says more than that is run: %s",
    (given) => {
      expect(compileExpression(given)).toMatchObject({ runs: true, literals: undefined });
    },
  );
});
