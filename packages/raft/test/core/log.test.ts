import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { LogTail } from "../../src/core/log-tail.ts";
import { TermRuns } from "../../src/core/term-runs.ts";
import { Inflights } from "../../src/core/tracker/inflights.ts";
import { type Entry, entrySize, origin } from "../../src/index.ts";
import { check } from "../arbitraries.ts";
import { entry } from "./cluster.ts";

type Step =
  | { kind: "push"; count: number; rise: number }
  | { kind: "truncate"; at: number }
  | { kind: "compact"; at: number }
  | { kind: "reset"; by: number };

const stepsOfLog = fc.array(
  fc.oneof(
    fc.record({ kind: fc.constant("push" as const), count: fc.integer({ min: 1, max: 5 }), rise: fc.nat(2) }),
    fc.record({ kind: fc.constant("truncate" as const), at: fc.nat(20) }),
    fc.record({ kind: fc.constant("compact" as const), at: fc.nat(20) }),
    fc.record({ kind: fc.constant("reset" as const), by: fc.nat(3) }),
  ),
  { maxLength: 30 },
);

/** Runs steps on a plain list of terms by index, and on whatever else takes part. */
function play(
  steps: readonly Step[],
  apply: (step: "push" | "truncate" | "compact" | "reset", index: number, term: number) => void,
  examine: (terms: ReadonlyMap<number, number>, base: number, last: number) => void,
): void {
  const terms = new Map([[0, 0]]);
  let base = 0;
  let last = 0;
  for (const step of steps) {
    switch (step.kind) {
      case "push":
        for (let i = 0; i < step.count; i++) {
          const term = terms.get(last)! + (i === 0 ? step.rise : 0);
          terms.set(++last, Math.max(term, 1));
          apply("push", last, Math.max(term, 1));
        }
        break;
      case "truncate": {
        const at = base + 1 + (step.at % Math.max(last - base, 1));
        if (at <= last) {
          for (; last >= at; last--) {
            terms.delete(last);
          }
          apply("truncate", at, 0);
        }
        break;
      }
      case "compact": {
        const at = base + (step.at % (last - base + 1));
        for (; base < at; base++) {
          terms.delete(base);
        }
        apply("compact", at, 0);
        break;
      }
      case "reset": {
        const term = terms.get(last)! + 1;
        terms.clear();
        base = last = last + step.by;
        terms.set(base, term);
        apply("reset", base, term);
      }
    }
    examine(terms, base, last);
  }
}

describe("the terms of a log", () => {
  it("answer as a plain list does, through pushes, truncations, compactions and resets", () => {
    check(
      fc.property(stepsOfLog, (steps) => {
        const runs = new TermRuns(origin, 0, []);
        play(
          steps,
          (kind, index, term) => {
            switch (kind) {
              case "push":
                runs.push(term);
                break;
              case "truncate":
                runs.truncate(index);
                break;
              case "compact":
                runs.compact(index);
                break;
              default:
                runs.reset({ index, term });
            }
          },
          (terms, base, last) => {
            expect(runs.last).toEqual({ index: last, term: terms.get(last) });
            expect(runs.base).toEqual({ index: base, term: terms.get(base) });
            for (let index = base - 1; index <= last + 1; index++) {
              expect(runs.at(index)).toBe(index < 0 ? undefined : terms.get(index));
            }
            for (const term of new Set(terms.values())) {
              let expected = last;
              while (expected > base && terms.get(expected)! > term) {
                expected--;
              }
              expect(runs.lastAtMost(last + 1, term).index).toBe(expected);
            }
          },
        );
      }),
      300,
    );
  });

  it.each([
    [
      "fall",
      [
        { index: 1, term: 3 },
        { index: 2, term: 2 },
      ],
      2,
    ],
    [
      "repeat",
      [
        { index: 1, term: 3 },
        { index: 2, term: 3 },
      ],
      2,
    ],
    ["leave a hole at the start", [{ index: 2, term: 3 }], 2],
    [
      "go beyond the end",
      [
        { index: 1, term: 1 },
        { index: 3, term: 3 },
      ],
      2,
    ],
    ["are missing", [], 2],
    ["belong to no entry", [{ index: 1, term: 1 }], 0],
  ])("are refused when they %s", (_, runs, last) => {
    expect(() => new TermRuns(origin, last, runs)).toThrow(
      expect.objectContaining({ code: "RAFT_LOG_CORRUPT" }),
    );
  });
});

describe("the tail of a log", () => {
  it("gives the entries it holds, and never evicts one that is not durable", () => {
    check(
      fc.property(stepsOfLog, fc.nat(200), fc.nat(20), (steps, maxBytes, lag) => {
        const tail = new LogTail(1, maxBytes);
        const entries = new Map<number, Entry>();
        let durable = 0;
        play(
          steps,
          (kind, index, term) => {
            switch (kind) {
              case "push":
                entries.set(index, entry(index, term, "x".repeat(index % 7)));
                tail.push(entries.get(index)!);
                break;
              case "truncate":
                tail.truncate(index);
                durable = Math.min(durable, index - 1);
                break;
              case "compact":
                tail.compact(index);
                break;
              default:
                tail.reset(index + 1);
            }
          },
          (_terms, base, last) => {
            durable = Math.max(durable, last - lag, base);
            tail.evict(durable);
            let bytes = 0;
            for (let index = tail.first; index <= last; index++) {
              bytes += entrySize(entries.get(index)!);
              expect(tail.slice(index, index + 1, 0)).toEqual([entries.get(index)]);
            }
            expect(tail.bytes).toBe(bytes);
            expect(tail.first).toBeLessThanOrEqual(durable + 1);
            expect(bytes > maxBytes && tail.first <= durable).toBe(false);
            expect(tail.slice(tail.first - 1, last + 1, 1)).toBeUndefined();
          },
        );
      }),
      300,
    );
  });

  it("gives at least one entry and otherwise no more bytes than asked for", () => {
    const tail = new LogTail(1, 1000);
    for (let index = 1; index <= 5; index++) {
      tail.push(entry(index, 1, "x".repeat(68)));
    }
    expect(tail.slice(1, 6, 1)!.length).toBe(1);
    expect(tail.slice(1, 6, 299)!.length).toBe(2);
    expect(tail.slice(1, 6, 300)!.length).toBe(3);
    expect(tail.slice(4, 6, 1000)!.length).toBe(2);
    expect(tail.slice(6, 6, 1000)).toEqual([]);
  });
});

describe("the window of messages under way", () => {
  it("counts messages and bytes as a plain list does", () => {
    check(
      fc.property(fc.array(fc.record({ free: fc.boolean(), size: fc.nat(50), by: fc.nat(3) })), (steps) => {
        const inflights = new Inflights(6, 100);
        let list: { index: number; size: number }[] = [];
        let last = 0;
        for (const { free, size, by } of steps) {
          if (free) {
            const to = last - by;
            inflights.freeTo(to);
            list = list.filter(({ index }) => index > to);
          } else if (!inflights.full) {
            last += 1 + by;
            inflights.add(last, size);
            list.push({ index: last, size });
          }
          const bytes = list.reduce((sum, item) => sum + item.size, 0);
          expect([inflights.count, inflights.bytes]).toEqual([list.length, bytes]);
          expect(inflights.full).toBe(list.length >= 6 || bytes >= 100);
        }
      }),
      300,
    );
  });
});
