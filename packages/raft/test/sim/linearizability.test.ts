import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { type RegisterInput, registerModel } from "../../src/testing/register-machine.ts";
import { checkLinearizability, type Operation } from "../../src/testing.ts";
import { check } from "../arbitraries.ts";

type Call = Operation<RegisterInput, string | null>;

/** `w1 0-2`, `r1 3-4`, `r- 0-1` (nothing there), `w1 0-?` (unknown outcome); the output of a write does not matter. */
function history(text: string): Call[] {
  return text.split(",").map((part) => {
    const [, kind, value, from, to] = /^\s*([rw])(\S+) (\d+)-(\d+|\?)\s*$/.exec(part)!;
    const times = { calledAt: Number(from), returnedAt: to === "?" ? 0 : Number(to) };
    return kind === "r"
      ? { input: { kind: "read" }, output: value === "-" ? null : value!, ...times }
      : { input: { kind: "write", value: value! }, output: to === "?" ? undefined : "", ...times };
  });
}

/** A register whose writes answer nothing. */
const model = {
  ...registerModel,
  apply: (state: string | null, input: RegisterInput) => {
    const next = registerModel.apply(state, input);
    return input.kind === "read" ? next : { ...next, output: "" };
  },
};

const good = [
  "r- 0-1",
  "w1 0-1, r1 2-3",
  "w1 0-3, r- 1-2",
  "w1 0-3, r1 1-2",
  "w1 0-5, r- 1-2, r1 3-4",
  "w1 0-1, w2 2-3, r2 4-5",
  "w1 0-3, w2 1-2, r1 4-5",
  "w1 0-3, w2 1-2, r2 4-5",
  "w1 0-9, w2 1-8, r1 2-3, r2 4-5",
  "w1 0-9, w2 1-8, r2 2-3, r1 4-5",
  "w1 0-?, r1 5-6",
  "w1 0-?, r- 5-6",
  "w1 0-?, r- 5-6, r1 7-8",
  "w1 0-1, w2 2-?, r1 3-4, r2 5-6",
  "w1 0-1, w2 2-?, r1 3-4, r1 5-6",
  "w1 0-1, w1 2-3, r1 4-5",
  "w1 0-2, r1 2-3",
  "w1 0-1, r1 2-9, w2 3-4, r2 5-6",
  "w1 0-1, r2 2-9, w2 3-4, r2 5-6",
  "w1 0-9, w2 0-9, w3 0-9, r3 1-2, r1 3-4, r2 5-6",
  "w1 0-1, w2 2-9, r2 3-4, r2 5-6, r2 10-11",
];

const bad = [
  "r1 0-1",
  "w1 0-1, r- 2-3",
  "w1 0-1, r2 2-3",
  "w1 0-1, w2 2-3, r1 4-5",
  "w1 0-5, r1 1-2, r- 3-4",
  "w1 0-9, w2 1-8, r1 2-3, r2 4-5, r1 6-7",
  "w1 0-?, r1 5-6, r- 7-8",
  "w1 5-?, r1 1-2",
  "w1 0-1, w2 2-?, r2 3-4, r1 5-6",
  "w1 0-1, w2 2-3, w3 4-5, r2 6-7",
  "r1 0-1, w1 2-3",
  "w1 0-1, w2 2-9, r2 3-4, r1 5-6",
  "w1 0-1, r- 2-3, r1 4-5",
  "w1 0-1, w2 2-3, r2 4-5, r1 6-7",
  "w1 0-2, w2 3-4, r1 5-9, r2 5-9",
  "w1 0-9, w2 0-9, r1 10-11, r2 12-13",
  "w1 0-3, w2 1-2, r1 4-5, r2 6-7",
  "w1 0-?, w2 1-2, r1 3-4, r2 5-6, r1 7-8",
  "r- 0-1, w1 2-3, r- 4-5, r1 6-7",
  "w1 0-1, w2 2-3, w1 4-5, r2 6-7",
  "w1 0-9, r1 1-2, r2 3-4",
];

describe("the linearizability checker", () => {
  it.each(good)("accepts %s", (text) => {
    expect(checkLinearizability(history(text), model)).toBe("linearizable");
  });

  it.each(bad)("refuses %s", (text) => {
    expect(checkLinearizability(history(text), model)).toBe("illegal");
  });

  it("agrees with trying all orders", () => {
    const call = fc
      .tuple(fc.boolean(), fc.constantFrom("1", "2"), fc.nat(9), fc.nat(5), fc.boolean())
      .map(([reads, value, from, length, unknown]): Call => {
        const times = { calledAt: from, returnedAt: from + length };
        return reads
          ? { input: { kind: "read" }, output: value, ...times }
          : { input: { kind: "write", value }, output: unknown ? undefined : "", ...times };
      });
    check(
      fc.property(fc.array(call, { maxLength: 6 }), (calls) => {
        const verdict = checkLinearizability(calls, model);
        expect(verdict).toBe(someOrder(calls, null) ? "linearizable" : "illegal");
      }),
      3000,
    );
  });

  it("checks by revision what has revisions: values, and the order in time", () => {
    const write = (value: string, revision: number, calledAt: number): Call => ({
      input: { kind: "write", value },
      output: "",
      calledAt,
      returnedAt: calledAt + 1,
      revision,
    });
    const read = (output: string, revision: number, calledAt: number): Call => ({
      input: { kind: "read" },
      output,
      calledAt,
      returnedAt: calledAt + 1,
      revision,
    });
    expect(checkLinearizability([write("1", 1, 0), write("2", 2, 2), read("2", 2.5, 4)], model)).toBe(
      "linearizable",
    );
    expect(checkLinearizability([write("1", 1, 0), write("2", 2, 2), read("1", 1.5, 4)], model)).toBe(
      "illegal",
    );
    expect(checkLinearizability([write("1", 1, 0), write("2", 2, 2), read("1", 2.5, 4)], model)).toBe(
      "illegal",
    );
    const long = Array.from({ length: 20_000 }, (_, at) => write(`${at}`, at + 1, 2 * at));
    expect(checkLinearizability(long, model)).toBe("linearizable");
  });

  it("says so when it gave up", () => {
    const calls = Array.from(
      { length: 30 },
      (_, at): Call => ({
        input: { kind: "write", value: `${at}` },
        output: "",
        calledAt: 0,
        returnedAt: 9,
      }),
    );
    const impossible: Call = { input: { kind: "read" }, output: "x", calledAt: 10, returnedAt: 11 };
    expect(checkLinearizability([...calls, impossible], model, 10_000)).toBe("unknown");
  });
});

/** Tries every order in which operations can have taken effect; those of unknown outcome may be left out. */
function someOrder(calls: readonly Call[], state: string | null): boolean {
  if (calls.every(({ output }) => output === undefined)) {
    return true;
  }
  const ends = calls.filter(({ output }) => output !== undefined).map(({ returnedAt }) => returnedAt);
  const earliestEnd = Math.min(...ends);
  return calls.some((call, at) => {
    if (call.calledAt > earliestEnd) {
      return false;
    }
    const next = model.apply(state, call.input);
    const fits = call.output === undefined || next.output === call.output;
    return fits && someOrder(calls.toSpliced(at, 1), next.state);
  });
}
