import { brokerSchema, describeSchema, formatBytes, formatDuration, type KeyDescription } from "@mon/config";
import { describe, expect, test } from "vitest";
import { configErrorOf, load, loadYaml, yamlOf } from "./broker-config.ts";

/**
 * Every key × every kind of bad value, in the file, the environment and on the command line. Each must make exactly
 * one problem of one short line that names the key, what was expected, and the place.
 */

const megabyte = "x".repeat(1_048_576);

interface BadValue {
  readonly kind: string;
  /** As YAML text. */
  readonly yaml: string;
  /** As text of a flag or variable; undefined when text cannot say it. */
  readonly text?: string;
}

const never: readonly BadValue[] = [
  { kind: "null", yaml: "null" },
  { kind: "left empty", yaml: "" },
  { kind: "a mapping", yaml: "{ a: 1 }" },
  { kind: "empty text", yaml: '""', text: "" },
  { kind: "1 MB of text", yaml: `'${megabyte}'`, text: megabyte },
  { kind: "control characters", yaml: '"a\\u0007\\n\\x9b"', text: "a\u0007\n\u009b" },
];
const scalar: readonly BadValue[] = [{ kind: "a list", yaml: "[1]" }];
const notNumber: readonly BadValue[] = [
  { kind: "a word", yaml: "many", text: "many" },
  { kind: "a boolean", yaml: "true", text: "true" },
  { kind: "the text NaN", yaml: "NaN", text: "NaN" },
  { kind: "NaN", yaml: ".nan" },
  { kind: "infinite", yaml: ".inf" },
  { kind: "minus infinite", yaml: "-.inf" },
  { kind: "unicode digits", yaml: "٣", text: "٣" },
  { kind: "negative", yaml: "-1", text: "-1" },
  { kind: "a fraction", yaml: "2.5", text: "2.5" },
  { kind: "huge", yaml: "1e300", text: "9".repeat(20) },
  { kind: "beyond 2^53", yaml: "9007199254740993", text: "9007199254740993" },
];
const notText: readonly BadValue[] = [
  { kind: "a number", yaml: "5" },
  { kind: "a boolean", yaml: "true" },
];
const notWord: readonly BadValue[] = [
  { kind: "another word", yaml: "other", text: "other" },
  { kind: "unicode", yaml: "ｌｅｖｅｌ", text: "ｌｅｖｅｌ" },
];

/** The values just outside of a range that is written as `<min> to <max>`. */
function outside({ type, range }: KeyDescription): BadValue[] {
  const format = type === "duration" ? formatDuration : type === "size" ? formatBytes : String;
  const [min = Number.NaN, max = Number.NaN] = range.split(" to ").map((text) => boundOf(type, text));
  const values = [max + 1, ...(min > 0 ? [min - 1] : [])];
  return values.flatMap((value) => [
    { kind: `${value}, out of range`, yaml: `${value}`, text: `${value}` },
    { kind: `${format(value)}, out of range`, yaml: format(value), text: format(value) },
  ]);
}

// By hand, so that the test does not lean on the parser it tests.
function boundOf(type: string, text: string): number {
  const sizes: Record<string, number> = {
    ...{ ms: 1, s: 1e3, m: 6e4, h: 36e5, d: 864e5 },
    ...{ B: 1, KiB: 2 ** 10, MiB: 2 ** 20, GiB: 2 ** 30, TiB: 2 ** 40 },
  };
  if (type === "integer" || text === "0") return Number(text);
  const [, count, unit] = /^(\d+)(\w+)$/.exec(text)!;
  return Number(count) * sizes[unit!]!;
}

function badValues(key: KeyDescription): readonly BadValue[] {
  switch (key.type) {
    case "integer":
      return [...never, ...scalar, ...notNumber, ...outside(key)];
    case "duration":
    case "size":
      return [
        ...never,
        ...scalar,
        ...notNumber,
        ...outside(key),
        { kind: "a decimal unit", yaml: "4MB", text: "4MB" },
      ];
    case "boolean":
    case "word":
      return [...never, ...scalar, ...notWord, { kind: "a number", yaml: "1", text: "1" }];
    case "text":
      return [...never, ...scalar, ...notText];
    default:
      return [
        ...never,
        { kind: "a word", yaml: "word", text: "word" },
        { kind: "a bad item", yaml: "[5]", text: "[5]" },
      ];
  }
}

interface Case {
  readonly name: string;
  readonly path: string;
  readonly source: string;
  load(): unknown;
}

const keys = describeSchema(brokerSchema);
const cases: Case[] = keys.flatMap((key) =>
  badValues(key).flatMap(({ kind, yaml, text }): Case[] => {
    const { path, variable } = key;
    const inFile = {
      name: `${path}: ${kind}, in the file`,
      path,
      source: `mon.yaml:${path.split(".").length}`,
      load: () => loadYaml(yamlOf(path, yaml)),
    };
    if (text === undefined) return [inFile];
    return [
      inFile,
      {
        ...inFile,
        name: `${path}: ${kind}, in ${variable}`,
        source: variable,
        load: () => load({ env: { [variable]: text } }),
      },
      {
        ...inFile,
        name: `${path}: ${kind}, by --set`,
        source: `--set ${path}`,
        load: () => load({ set: [`${path}=${text}`] }),
      },
    ];
  }),
);

const repeated: Case[] = keys.flatMap(({ path }) => {
  const depth = path.split(".").length;
  const lastLine = yamlOf(path, '"x"').split("\n").at(-1);
  return [
    {
      name: `${path}: twice in the file`,
      path,
      source: `mon.yaml:${depth + 1}`,
      load: () => loadYaml(`${yamlOf(path, validYaml(path))}\n${lastLine}`),
    },
    {
      name: `${path}: an alias`,
      path,
      source: `mon.yaml:${depth}`,
      load: () => loadYaml(yamlOf(path, "*anchor")),
    },
  ];
});

const groups = new Set(keys.map(({ path }) => path.slice(0, Math.max(0, path.lastIndexOf(".")))));
const unknownNames = ["__proto__", "constructor", "prototype", "nöpe", "x".repeat(1_000)];
const unknown: Case[] = [...groups].flatMap((group) =>
  unknownNames.map((name) => {
    const path = group === "" ? name : `${group}.${name}`;
    return {
      name: `${path.slice(0, 30)}: an unknown key in the file`,
      path: path.slice(0, 64),
      source: `mon.yaml:${path.split(".").length}`,
      load: () => loadYaml(yamlOf(path, "{ a: 1 }")),
    };
  }),
);

/** A value that `path` takes, other than those which break a rule over several keys. */
function validYaml(path: string): string {
  const { type, default: byDefault, range } = keys.find((key) => key.path === path)!;
  if (byDefault.startsWith("`")) return byDefault.slice(1, -1);
  if (type !== "text") return range;
  return range.includes("host:port") ? "name:1" : "name";
}

describe("bad input", () => {
  test("makes a matrix of at least 300 cases", () => {
    expect(cases.length + repeated.length + unknown.length).toBeGreaterThanOrEqual(300);
  });

  test.each(cases)("$name", (one) => {
    const { expected } = assertOneLine(one);
    const { range } = keys.find((key) => key.path === one.path)!;
    const isItem = expected.startsWith("a rule of ") || expected === "one document of YAML";
    if (!isItem) expect(expected).toContain(range);
  });

  test.each([...repeated, ...unknown])("$name", (one) => {
    assertOneLine(one);
  });
});

function assertOneLine({ load, path, source }: Case): { expected: string } {
  const error = configErrorOf(load);
  expect(error.code).toBe("CONFIG_INVALID");
  expect(error.problems).toHaveLength(1);
  const [problem] = error.problems;
  expect(error.message).toMatch(/^\P{Cc}{1,400}$/u);
  expect(problem?.path.replace(/\[0\]$|…$/, "")).toBe(path);
  expect(problem?.source).toBe(source);
  expect(error.message).toContain(`expected ${problem?.expected}, got ${problem?.value}`);
  expect(error.message.endsWith(`(${source})`)).toBe(true);
  return problem!;
}
