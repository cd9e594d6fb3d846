import { expect, test } from "vitest";
import { parseSource } from "../checks/source-file.ts";

const ambientIn = (text: string) => parseSource("x.ts", text).ambient;

test("imports are found in every form, types included", () => {
  const text = `
    import a, { b as c, type D } from "one";
    import type { E } from "two";
    import * as all from "three";
    import "four";
    export { f } from "five";
    export * from "six";
    const g = await import("seven");
    const h = await import(g.name);
    // import "not-this"; and "import('nor-this')"
  `;
  expect(parseSource("x.ts", text).imports).toEqual([
    { specifier: "one", names: ["default", "b", "D"] },
    { specifier: "two", names: ["E"] },
    { specifier: "three", names: ["*"] },
    { specifier: "four", names: [] },
    { specifier: "five", names: ["f"] },
    { specifier: "six", names: ["*"] },
    { specifier: "seven", names: ["*"] },
    { specifier: "(computed)", names: ["*"] },
  ]);
});

test.each([
  ["const t = Date.now();", "Date.now"],
  ['const t = Date["now"]();', "Date.now"],
  ["const t = new Date();", "new Date()"],
  ["const t = Date();", "new Date()"],
  ["class A { #n = Math.random(); }", "Math.random"],
  ["export const f = (ms: number) => setTimeout(() => {}, ms);", "setTimeout"],
  ["const now = performance.now() as number;", "performance"],
  ["const { env } = process;", "process"],
  ["const s = AbortSignal.timeout(5);", "AbortSignal.timeout"],
  ["const o = { setInterval };", "setInterval"],
  ["const f = <T>(x: T = globalThis.x!) => x;", "globalThis"],
])("%s reaches outside", (text, use) => {
  expect(ambientIn(text)).toEqual([use]);
});

test.each([
  ["interface Clock { now(): number; setTimeout(run: () => void, ms: number): Timer }"],
  ["const t = clock.setTimeout(run, 5) + clock.now();"],
  ["const clock = { setTimeout: (run) => run(), now() { return 0; } };"],
  ["class Fake { setTimeout(run) { run(); } performance = 1; }"],
  ["function f(process: string) { return process.length; }"],
  ["const f = ({ setTimeout: later, performance }: Deps) => performance(later);"],
  ["const day = new Date(0).toISOString() + Date.UTC(2026, 0) + Math.max(1, 2);"],
  ["type T = typeof setTimeout; let x: performance.Entry;"],
  ['const text = "Date.now()"; // Math.random()'],
])("%s does not", (text) => {
  expect(ambientIn(text)).toEqual([]);
});

test("a syntax error is reported with its file", () => {
  expect(() => parseSource("broken.ts", "const = 1;")).toThrow(/^broken\.ts: /);
});
