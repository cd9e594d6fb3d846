import { BlockDecoder } from "@mon/level-store";
import { type Fragment, MemoryStore } from "@mon/store";
import fc from "fast-check";
import { expect, it } from "vitest";
import { contentsOf, report } from "./contents.ts";
import { copyOf, openStore, t0, temporaryDirectory } from "./directory.ts";

const hostIds = ["a", "a.b", "b"];
const hourMs = 3_600_000;
const seed = Number(process.env.SEED ?? Math.floor(Math.random() * 2 ** 31));

/** So that all blocks are decoded in its threads, however small. */
const decoder = new BlockDecoder({ inlineBytesMax: 0 });

type Step =
  | { readonly kind: "write"; readonly fragments: readonly Fragment[] }
  | { readonly kind: "trim"; readonly hours: number }
  | { readonly kind: "pack" | "crash" | "reopen" };

/** Metrics of a few programs, so that shapes repeat, and more shapes than a host's catalogue remembers. */
const shapes = Array.from({ length: 12 }, (_, i) => (i < 8 ? [`m${i}`] : [`m${i % 8}`, "shared", `n${i}`]));

const fragment = fc
  .record({
    hostId: fc.constantFrom(...hostIds),
    offsetMs: fc.oneof(
      fc.nat(4 * hourMs),
      fc.nat(3).map((quarter) => quarter * hourMs),
    ),
    shape: fc.constantFrom(...shapes),
    value: fc.constantFrom(-1, 0, 1, 2.5, 1e300),
  })
  .map(({ hostId, offsetMs, shape, value }) => ({ hostId, offsetMs, values: entries(shape, value) }));

function entries(shape: readonly string[], value: number): Record<string, number> {
  return Object.fromEntries(shape.map((name, i) => [name, value + i]));
}

const step = fc.oneof(
  { weight: 6, arbitrary: fc.array(fragment, { minLength: 1, maxLength: 8 }) },
  { weight: 1, arbitrary: fc.nat(3) },
  { weight: 4, arbitrary: fc.constantFrom("pack" as const, "crash" as const, "reopen" as const) },
);

/** Nothing is written that is older than what was trimmed before: intake has the same window. */
function stepsOf(drawn: readonly (typeof step extends fc.Arbitrary<infer T> ? T : never)[]): Step[] {
  let hour = 0;
  return drawn.map((drawnStep): Step => {
    if (typeof drawnStep === "string") return { kind: drawnStep };
    if (typeof drawnStep === "number") {
      hour += drawnStep;
      return { kind: "trim", hours: hour };
    }
    const fragments = drawnStep.map(({ hostId, offsetMs, values }) =>
      report(hostId, t0 + hour * hourMs + offsetMs, values),
    );
    return { kind: "write", fragments };
  });
}

it("equals a store in memory after any steps of writing, packing, trimming, closing and crashing", async () => {
  await fc.assert(
    fc.asyncProperty(
      fc.array(step, { minLength: 1, maxLength: 14 }),
      fc.boolean(),
      async (drawn, isApart) => {
        const deps = isApart ? { decoder } : {};
        const model = new MemoryStore();
        await model.open();
        let directory = await temporaryDirectory();
        let store = await openStore(directory, {
          ...deps,
          options: { maxSliceSamples: 5, maxBatchBytes: 300 },
        });
        for (const next of stepsOf(drawn)) {
          switch (next.kind) {
            case "write":
              await Promise.all(next.fragments.map((one) => store.write([one])));
              await model.write(next.fragments);
              break;
            case "trim": {
              const beforeMs = t0 + next.hours * hourMs;
              expect(await store.trim(beforeMs)).toEqual(await model.trim(beforeMs));
              break;
            }
            case "pack":
              await store.pack(t0 + 1_000 * hourMs);
              break;
            case "crash": {
              const copy = await copyOf(directory);
              await store.close();
              directory = copy;
              store = await openStore(directory, deps);
              break;
            }
            case "reopen":
              await store.close();
              store = await openStore(directory, deps);
              break;
            default:
              next satisfies never;
          }
        }
        expect(await contentsOf(store, hostIds)).toEqual(await contentsOf(model, hostIds));
        expect((await store.stats()).damage).toEqual([]);
        await store.close();
      },
    ),
    { seed, numRuns: 40 },
  );
}, 30_000);
