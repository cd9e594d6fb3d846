import { afterEach, beforeAll, describe, expect, it, vi } from "vitest";
import { SeriesTable } from "../src/catalogue/series-table.ts";
import { turnSteps } from "../src/catalogue/turns.ts";
import {
  Catalogue,
  fragmentFromSamples,
  listMetrics,
  listMetricsInTurns,
  type Matcher,
  type Sample,
  type SeriesSelector,
  selectSeries,
  selectSeriesInTurns,
} from "../src/index.ts";

const hosts = 6;

/** Distinct series all, as of containers that come and go. */
function catalogueOfMany(seriesOfHost: number): Catalogue {
  const catalogue = new Catalogue();
  for (let host = 0; host < hosts; host++) {
    const samples = Array.from({ length: seriesOfHost }, (_, i): Sample => {
      const id = String((i * 7_919) % seriesOfHost).padStart(5, "0");
      const labels = [{ name: "container", value: `${host}-${id}` }];
      return { name: `m${i % 50}`, labels, kind: 1, value: i, flags: 0 };
    });
    catalogue.observe(fragmentFromSamples(`host-${host}`, 1_000 + host, samples));
  }
  return catalogue;
}

afterEach(() => {
  vi.restoreAllMocks();
});

/** Counts looks at series, and the most of them between two breaths. */
class Watch {
  #since = 0;
  most = 0;
  breaths = 0;

  constructor() {
    for (const method of ["at", "has", "hostCount", "hasHost"] as const) {
      const original = SeriesTable.prototype[method] as (...parameters: number[]) => never;
      const watch = this;
      vi.spyOn(SeriesTable.prototype, method).mockImplementation(function (
        this: SeriesTable,
        ...parameters: number[]
      ) {
        watch.#since++;
        watch.most = Math.max(watch.most, watch.#since);
        return original.apply(this, parameters);
      });
    }
  }

  readonly breathe = async (): Promise<void> => {
    this.breaths++;
    this.#since = 0;
  };
}

/** Looks at series between two breaths: a look at one takes several calls, and a part may end a little late. */
const looksMax = 2 * turnSteps;

const broad: readonly (readonly [string, SeriesSelector])[] = [
  ["no matcher", {}],
  ["a range", { range: { startMs: 0, endMs: 2_000 } }],
  ["a name that half have", matching({ label: "__name__", type: "=~", value: "m[0-4]." })],
  [
    "an expression on a label that tells all apart",
    matching({ label: "container", type: "=~", value: ".*[13579]" }),
  ],
  ["its negation", matching({ label: "container", type: "!~", value: ".*[13579]" })],
  ["a label that is there", matching({ label: "container", type: "!=", value: "" })],
  [
    "several",
    matching(
      { label: "container", type: "=~", value: "[0-3]-.*" },
      { label: "__name__", type: "!=", value: "m7" },
      { label: "container", type: "!~", value: ".*5" },
    ),
  ],
  ["few of many", matching({ label: "container", type: "=~", value: ".*-0001." })],
];

function matching(...matchers: Matcher[]): SeriesSelector {
  return { matchers };
}

async function collect<T>(items: AsyncIterable<T>): Promise<T[]> {
  const collected: T[] = [];
  for await (const item of items) collected.push(item);
  return collected;
}

describe("a question that many series have to do with", () => {
  const seriesOfHost = 8_000;
  let catalogue: Catalogue;

  beforeAll(() => {
    catalogue = catalogueOfMany(seriesOfHost);
  });

  it.each(broad)("gives way while it looks at them, and answers the same: %s", async (_, selector) => {
    const watch = new Watch();
    const found = await collect(selectSeriesInTurns(catalogue, selector, watch.breathe));
    const breathsOfSeries = watch.breaths;
    const metrics = await listMetricsInTurns(catalogue, selector, watch.breathe);
    vi.restoreAllMocks();
    const expected = [...selectSeries(catalogue, selector)];
    expect(found.map(({ hostId, series }) => `${hostId} ${series.length}`)).toEqual(
      expected.map(({ hostId, series }) => `${hostId} ${series.length}`),
    );
    const all = expected.flatMap(({ series }) => series);
    expect(found.flatMap(({ series }) => series).filter((one, i) => one !== all[i])).toEqual([]);
    expect(metrics).toEqual(listMetrics(catalogue, selector));
    expect(watch.most).toBeLessThan(looksMax);
    expect(breathsOfSeries).toBeGreaterThan(1);
    expect(watch.breaths).toBeGreaterThan(breathsOfSeries);
  });

  it.each(broad)(
    "has all that neither comes nor goes when numbers are given anew meanwhile: %s",
    async (_, selector) => {
      for (const breathOfTrim of [1, 3, 6]) {
        const trimmed = catalogueOfMany(1_500);
        const { generation } = trimmed.table;
        let breaths = 0;
        const breathe = async (): Promise<void> => {
          // What is left, of two hosts, is so little that numbers are given anew.
          if (++breaths === breathOfTrim) trimmed.trim(1_004);
        };
        const found = new Map(
          (await collect(selectSeriesInTurns(trimmed, selector, breathe))).map((one) => [
            one.hostId,
            one.series,
          ]),
        );
        expect([...found.keys()]).toEqual([...found.keys()].sort());
        if (breaths < breathOfTrim) continue;
        expect(trimmed.table.generation).toBe(generation + 1);
        for (const { hostId, series } of selectSeries(trimmed, selector)) {
          expect(found.get(hostId)?.filter((one, i) => one !== series[i])).toEqual([]);
          expect(found.get(hostId)).toHaveLength(series.length);
        }
      }
    },
  );
});
