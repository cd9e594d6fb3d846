import { expect, it } from "vitest";
import { blockMs } from "../block.ts";
import { Kind, type Sample } from "../sample.ts";
import {
  collect,
  everything,
  gauge,
  readPoints,
  report,
  type Subject,
  seriesKeys,
  t0,
  writeTo,
} from "./subject.ts";

/** What is known of hosts, series and last values. */
export function catalogueClaims(subject: Subject): void {
  it("lists series by host, and by matchers on host, name and labels", async () => {
    const { store } = subject;
    await subject.write(
      report("db-1", t0, gauge("cpu", 1, { mode: "user" }), gauge("mem", 1)),
      report("web-1", t0, gauge("cpu", 1, { mode: "user" }), gauge("cpu", 1, { mode: "idle" })),
      report("web-2", t0, gauge("cpu", 1, { mode: "system" })),
    );
    expect(await seriesKeys(store, {})).toEqual({
      "db-1": ['cpu{mode="user"}', "mem"],
      "web-1": ['cpu{mode="idle"}', 'cpu{mode="user"}'],
      "web-2": ['cpu{mode="system"}'],
    });
    expect(await seriesKeys(store, { hostIds: ["web-2", "no-such-host"] })).toEqual({
      "web-2": ['cpu{mode="system"}'],
    });
    expect(
      await seriesKeys(store, {
        matchers: [
          { label: "__host__", type: "=~", value: "web-.*" },
          { label: "mode", type: "!=", value: "idle" },
        ],
      }),
    ).toEqual({ "web-1": ['cpu{mode="user"}'], "web-2": ['cpu{mode="system"}'] });
    expect(await seriesKeys(store, { matchers: [{ label: "__name__", type: "!~", value: "c.u" }] })).toEqual({
      "db-1": ["mem"],
    });
    expect(await seriesKeys(store, { matchers: [{ label: "mode", type: "=", value: "" }] })).toEqual({
      "db-1": ["mem"],
    });
  });

  it("lists every series that may have samples in a range, and no host last seen before it", async () => {
    const { store } = subject;
    await subject.write(report("old", t0, gauge("a", 1)), report("new", t0 + blockMs, gauge("a", 1)));
    await subject.write(report("both", t0 + blockMs, gauge("a", 1)));
    await subject.write(report("both", t0, gauge("b", 1)));
    await subject.write(report("late", t0 + blockMs, gauge("a", 1)));
    await subject.write(report("late", t0, gauge("a", 1)));
    const inRange = (startMs: number, endMs: number) => seriesKeys(store, { range: { startMs, endMs } });
    expect(await inRange(t0, t0)).toMatchObject({
      both: expect.arrayContaining(["b"]),
      late: ["a"],
      old: ["a"],
    });
    const later = await inRange(t0 + 1, t0 + blockMs);
    expect(later).toMatchObject({ new: ["a"], both: expect.arrayContaining(["a"]) });
    expect(later).not.toHaveProperty("old");
    expect(await inRange(t0 + blockMs + 1, t0 + 2 * blockMs)).toEqual({});
  });

  it("refuses a matcher whose expression is none, by code", async () => {
    const listed = collect(subject.store.series({ matchers: [{ label: "a", type: "=~", value: "(" }] }));
    await expect(listed).rejects.toMatchObject({ code: "STORE_MATCHER_INVALID" });
  });

  it("gives a series the smallest of the kinds that it came with (R4)", async () => {
    await subject.write(report("h", t0, { ...gauge("a", 1), kind: Kind.counter }));
    await subject.write(report("h", t0 + 1, gauge("a", 1)));
    await subject.write(report("h", t0 + 2, { ...gauge("a", 1), kind: Kind.counter }));
    expect((await collect(subject.store.series({})))[0]!.series).toEqual([
      { name: "a", labels: [], kind: Kind.gauge },
    ]);
    expect((await subject.store.latest(["h"]))[0]!.samples[0]!.kind).toBe(Kind.gauge);
  });

  it("knows the last value of each series, which never goes back (R19)", async () => {
    await subject.write(report("h", t0 + 10, gauge("a", 10), gauge("b", 1)));
    await subject.write(report("h", t0, gauge("a", 0), gauge("old", 7)));
    await subject.write(report("h", t0 + 10, gauge("a", 11), gauge("b", 0)));
    await subject.write(report("h", t0 + 20, gauge("c", 0)));
    const [latest] = await subject.store.latest(["no-such-host", "h"]);
    expect(latest!.lastSeenMs).toBe(t0 + 20);
    expect(latest!.samples.map(({ name, value, timestampMs }) => [name, value, timestampMs - t0])).toEqual([
      ["a", 11, 10],
      ["b", 1, 10],
      ["c", 0, 20],
      ["old", 7, 0],
    ]);
  });

  it("ends with the newest values when fragments are written at once, in any order (R19)", async () => {
    const fragments = Array.from({ length: 60 }, (_, i) =>
      report("h", t0 + ((i * 37) % 60), gauge("a", (i * 37) % 60), gauge(`own_${i % 3}`, (i * 37) % 60)),
    );
    await Promise.all(fragments.map((fragment) => subject.write(fragment)));
    const [latest] = await subject.store.latest(["h"]);
    expect(latest!.lastSeenMs).toBe(t0 + 59);
    expect(latest!.samples.map(({ name, value }) => [name, value])).toEqual([
      ["a", 59],
      ...[0, 1, 2].map((own) => [
        `own_${own}`,
        Math.max(...fragments.map((_, i) => (i % 3 === own ? (i * 37) % 60 : 0))),
      ]),
    ]);
  });

  it("knows the last value of each series when programs of a host send many kinds of reports", async () => {
    for (let round = 0; round < 3; round++) {
      for (let program = 0; program < 40; program++) {
        await subject.write(
          report("h", t0 + round, gauge("shared", round), gauge(`own_${program}`, round * 100 + program)),
        );
      }
    }
    const [latest] = await subject.store.latest(["h"]);
    expect(latest!.samples).toHaveLength(41);
    for (const { name, value, timestampMs } of latest!.samples) {
      expect(timestampMs).toBe(t0 + 2);
      expect(value).toBe(name === "shared" ? 2 : 200 + Number(name.slice(4)));
    }
  });

  it("lists hosts by id, page by page and by prefix", async () => {
    const { store } = subject;
    const ids = Array.from({ length: 25 }, (_, i) => `h-${String(i).padStart(2, "0")}`);
    await subject.write(
      ...ids.map((hostId, i) => report(hostId, t0 + i, gauge("a", 1))),
      report("g", t0, gauge("a", 1)),
    );
    const first = await store.hosts({ limit: 10 });
    expect(first.map((host) => host.hostId)).toEqual(["g", ...ids.slice(0, 9)]);
    const second = await store.hosts({ limit: 100, after: first.at(-1)!.hostId });
    expect(second.map((host) => host.hostId)).toEqual(ids.slice(9));
    const prefixed = await store.hosts({ limit: 100, prefix: "h-1", after: "h-14" });
    expect(prefixed).toEqual(
      ids.slice(15, 20).map((hostId, i) => ({ hostId, lastSeenMs: t0 + 15 + i, series: 1, metadata: {} })),
    );
  });

  it("lists metrics with their labels", async () => {
    await subject.write(
      report("h", t0, gauge("cpu", 1, { mode: "user" }), gauge("cpu", 1, { cpu: "0", mode: "user" })),
    );
    await subject.write(report("g", t0, { ...gauge("up_total", 1), kind: Kind.counter }));
    expect(await subject.store.metrics({})).toEqual([
      { name: "cpu", kind: Kind.gauge, series: 2, labelNames: ["cpu", "mode"] },
      { name: "up_total", kind: Kind.counter, series: 1, labelNames: [] },
    ]);
    const ofG = await subject.store.metrics({ hostIds: ["g"] });
    expect(ofG.map((metric) => metric.name)).toEqual(["up_total"]);
  });

  it("keeps what is known of a host besides its data", async () => {
    const { store } = subject;
    await store.setMetadata("new", { agent_version: "1.0.0", os: "linux" });
    await store.setMetadata("new", { agent_version: "1.1.0" });
    expect(await store.hosts({ limit: 10 })).toEqual([
      { hostId: "new", lastSeenMs: 0, series: 0, metadata: { agent_version: "1.1.0", os: "linux" } },
    ]);
    expect(await store.latest(["new"])).toEqual([]);
  });

  it("counts its hosts and series", async () => {
    await subject.write(report("h", t0, gauge("a", 1), gauge("b", 1)), report("g", t0, gauge("a", 1)));
    expect(await subject.store.stats()).toMatchObject({
      hosts: 2,
      series: 3,
      seriesOverLimit: 0,
      damage: [],
    });
  });

  limitClaims(subject);
}

/** A report of the series named, all of one value. */
function named(names: string, value: number): Sample[] {
  return [...names].map((name) => gauge(name, value));
}

function limitClaims(subject: Subject): void {
  it("refuses samples of series beyond a host's limit, by place, and stores the rest of their fragment", async () => {
    const store = await subject.open({ maxSeriesPerHost: 3 });
    await writeTo(store, [report("h", t0, ...named("bd", 1))]);
    const overLimit = report("h", t0 + 1, ...named("abcde", 2));
    for (const _repeat of [1, 2]) {
      const [partly] = await store.write([overLimit]);
      expect(partly).toMatchObject({
        status: "stored",
        durability: store.durability,
        refusedSamples: [2, 4],
      });
    }
    expect(await readPoints(store, { hostId: "h", ...everything })).toEqual({
      a: [[t0 + 1, 2, 0]],
      b: [
        [t0, 1, 0],
        [t0 + 1, 2, 0],
      ],
      d: [
        [t0, 1, 0],
        [t0 + 1, 2, 0],
      ],
    });
    expect(await seriesKeys(store, {})).toEqual({ h: ["a", "b", "d"] });
    const [latest] = await store.latest(["h"]);
    expect(latest!.samples.map(({ name, value }) => [name, value])).toEqual([
      ["a", 2],
      ["b", 2],
      ["d", 2],
    ]);
  });

  it("takes known series of a host at its limit, rejects a fragment of new ones only, and leaves its batch alone", async () => {
    const store = await subject.open({ maxSeriesPerHost: 2 });
    await writeTo(store, [report("h", t0, ...named("ab", 1))]);
    const fates = await store.write([
      report("h", t0 + 1, ...named("ab", 2)),
      report("h", t0 + 1, ...named("xy", 2)),
      report("g", t0 + 1, ...named("xy", 2)),
    ]);
    expect(fates.map(({ status }) => status)).toEqual(["stored", "rejected", "stored"]);
    expect(fates[1]).toMatchObject({ refusedSamples: [0, 1] });
    expect(fates[0]).not.toHaveProperty("refusedSamples");
    await writeTo(store, [report("h", t0 + 2, ...named("b", 3))]);
    expect(await seriesKeys(store, {})).toEqual({ g: ["x", "y"], h: ["a", "b"] });
    expect(await store.stats()).toMatchObject({ series: 4, seriesOverLimit: 0 });
  });

  it("never stores more series than the limit when fragments are written at once, nor refuses what it answered stored", async () => {
    const store = await subject.open({ maxSeriesPerHost: 10 });
    const fragments = Array.from({ length: 40 }, (_, i) => report("h", t0 + i, gauge(`m${i % 20}`, i)));
    const fates = (await Promise.all(fragments.map((fragment) => store.write([fragment])))).flat();
    const stored = fragments.filter((_, i) => fates[i]!.status === "stored");
    expect(stored).toHaveLength(20);
    expect(await store.hosts({ limit: 1 })).toMatchObject([{ series: 10 }]);
    const points = await readPoints(store, { hostId: "h", ...everything });
    const instants = Object.values(points).flatMap((rows) => rows.map(([timestampMs]) => timestampMs));
    expect(instants.sort((a, b) => a - b)).toEqual(stored.map(({ timestampMs }) => timestampMs));
  });

  it("holds to another limit from when it is configured, and keeps the series that it has", async () => {
    const store = await subject.open({ maxSeriesPerHost: 2 });
    await writeTo(store, [report("h", t0, ...named("ab", 1))]);
    store.configure({ maxSeriesPerHost: 3 });
    expect(await store.write([report("h", t0 + 1, ...named("abcd", 2))])).toMatchObject([
      { status: "stored", refusedSamples: [3] },
    ]);
    store.configure({ maxSeriesPerHost: 1 });
    store.configure({});
    expect(await store.stats()).toMatchObject({ series: 3, seriesOverLimit: 2 });
    expect(await store.write([report("h", t0 + 2, ...named("abce", 3))])).toMatchObject([
      { status: "stored", refusedSamples: [3] },
    ]);
    expect(await seriesKeys(store, {})).toEqual({ h: ["a", "b", "c"] });
    for (const maxSeriesPerHost of [0, -1, 1.5, Number.NaN]) {
      expect(() => store.configure({ maxSeriesPerHost })).toThrow(RangeError);
    }
    expect(await store.stats()).toMatchObject({ seriesOverLimit: 2 });
  });

  it("has room again for new series once old ones are trimmed", async () => {
    const store = await subject.open({ maxSeriesPerHost: 1 });
    await writeTo(store, [report("h", t0, gauge("a", 1))]);
    const late = report("h", t0 + 3 * blockMs, gauge("b", 1));
    expect((await store.write([late]))[0]!.status).toBe("rejected");
    await store.trim(t0 + 2 * blockMs);
    await writeTo(store, [late]);
    expect(await seriesKeys(store, {})).toEqual({ h: ["b"] });
  });

  it("imports a partition whole, whatever the limit, and counts the series beyond it (R28)", async () => {
    const fragment = report("h", t0, ...named("abcd", 1));
    await subject.write(fragment);
    const [partition] = await collect(subject.store.partitions());
    const target = await subject.open({ maxSeriesPerHost: 3 });
    await target.importPartition(partition!, subject.store.exportPartition(partition!));
    expect(await seriesKeys(target, {})).toEqual({ h: ["a", "b", "c", "d"] });
    expect(await target.stats()).toMatchObject({ series: 4, seriesOverLimit: 1 });
    expect((await target.write([report("h", t0 + 1, ...named("abcde", 2))]))[0]).toMatchObject({
      status: "stored",
      refusedSamples: [4],
    });
  });

  if (!subject.canReopen) return;

  it("holds to the limit after it was closed and opened", async () => {
    const store = await subject.open({ maxSeriesPerHost: 2 });
    await writeTo(store, [report("h", t0, ...named("ab", 1))]);
    await store.write([report("h", t0 + 1, ...named("bc", 2))]);
    const reopened = await subject.reopen(store);
    expect(await seriesKeys(reopened, {})).toEqual({ h: ["a", "b"] });
    expect((await readPoints(reopened, { hostId: "h", ...everything })).b).toHaveLength(2);
  });
}
