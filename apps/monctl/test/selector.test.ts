import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { MonctlError } from "../src/errors.ts";
import { formatSelector, parseAssignment, parseSelector, type Selector } from "../src/selector.ts";
import { property } from "./support/seed.ts";

const anyText = fc
  .array(fc.integer({ min: 0, max: 0xffff }), { maxLength: 20 })
  .map((units) => String.fromCharCode(...units));
const anySelector: fc.Arbitrary<Selector> = fc.record({
  name: fc.oneof(fc.constant(""), fc.stringMatching(/^[a-zA-Z_:][a-zA-Z0-9_:]{0,12}$/)),
  matchers: fc.array(
    fc.record({
      label: fc.stringMatching(/^[a-zA-Z_][a-zA-Z0-9_]{0,8}$/),
      operator: fc.constantFrom("=", "!=", "=~", "!~"),
      value: fc.oneof(anyText, fc.string(), fc.constantFrom('"', "\\", "}", ",", "\n", "\u001b[2J")),
    }),
    { maxLength: 4 },
  ),
});

function errorOf(text: string): MonctlError {
  try {
    parseSelector(text);
  } catch (error) {
    if (error instanceof MonctlError) return error;
  }
  throw new Error(`expected ${text} to be refused`);
}

describe("a selector", () => {
  it("is read back as it was written", () => {
    fc.assert(
      fc.property(anySelector, (selector) => {
        expect(parseSelector(formatSelector(selector))).toEqual(selector);
      }),
      property,
    );
  });

  it("is written without characters that a terminal acts on", () => {
    fc.assert(
      fc.property(anySelector, (selector) => {
        expect(formatSelector(selector)).not.toMatch(/\p{Cc}/u);
      }),
      property,
    );
  });

  it("makes no other error than a usage error of any text", () => {
    const piece = fc.constantFrom(
      "a",
      "{",
      "}",
      '"',
      "'",
      "`",
      "=",
      "=~",
      "!",
      ",",
      "\\",
      "\\u12",
      " ",
      "é",
      "0",
    );
    fc.assert(
      fc.property(fc.array(piece, { maxLength: 12 }), (pieces) => {
        try {
          const text = pieces.join("");
          expect(parseSelector(formatSelector(parseSelector(text)))).toEqual(parseSelector(text));
        } catch (error) {
          expect(error).toMatchObject({ code: "MONCTL_USAGE" });
        }
      }),
      property,
    );
  });

  it("takes all operators, three kinds of quotes, escapes, spaces and a comma at the end", () => {
    const text = ` up { a = "\\"x\\n", b!='y"', c =~ \`\\d+\`, __host__!~"\\u00e9\\U0001f600", } `;
    expect(parseSelector(text)).toEqual({
      name: "up",
      matchers: [
        { label: "a", operator: "=", value: '"x\n' },
        { label: "b", operator: "!=", value: 'y"' },
        { label: "c", operator: "=~", value: "\\d+" },
        { label: "__host__", operator: "!~", value: "é😀" },
      ],
    });
  });

  it.each([
    ["", 'a metric name or "{" at column 1', "the end"],
    ["9up", 'a metric name or "{" at column 1', '"9"'],
    ["up{", "a label name at column 4", "the end"],
    ["up{a", '"=", "!=", "=~" or "!~" at column 5', "the end"],
    ["up{a==", "a quoted value at column 6", '"="'],
    ["up{a=b}", "a quoted value at column 6", '"b"'],
    ['up{a="b', 'a closing " for the value that starts at column 6 at column 8', "the end"],
    ['up{a="b" c="d"}', '"," or "}" at column 10', '"c"'],
    ['up{a="\\x"}', "at column 7", '"\\\\"'],
    ['up{a="b"} x', "the end of the selector at column 11", '"x"'],
  ])("that is wrong names the column: %s", (text, expected, got) => {
    const { code, message } = errorOf(text);
    expect(code).toBe("MONCTL_USAGE");
    expect(message).toContain(expected);
    expect(message.endsWith(`got ${got}`)).toBe(true);
  });
});

describe("an assignment", () => {
  it("gives name, labels and a number", () => {
    expect(parseAssignment("up=1")).toEqual({ name: "up", labels: [], value: 1 });
    expect(parseAssignment('t{a="x=y"}=-2.5e-3')).toEqual({
      name: "t",
      labels: [{ name: "a", value: "x=y" }],
      value: -0.0025,
    });
    expect(parseAssignment("x=NaN").value).toBeNaN();
    expect(parseAssignment("x=-Inf").value).toBe(Number.NEGATIVE_INFINITY);
  });

  it("keeps every finite number exactly", () => {
    fc.assert(
      fc.property(fc.double({ noNaN: true, noDefaultInfinity: true }), (value) => {
        expect(parseAssignment(`x=${value}`).value).toBe(value === 0 ? value + 0 : value);
      }),
      property,
    );
  });

  it.each(["up", "up=", "up=one", "up=1x", "=1", 'up{a!="b"}=1'])(
    "that is wrong is a usage error: %s",
    (text) => {
      expect(() => parseAssignment(text)).toThrow(expect.objectContaining({ code: "MONCTL_USAGE" }));
    },
  );
});
