import { fragmentFromSamples, MemoryStore } from "@mon/store";
import { describe, expect, it } from "vitest";
import { type LatestRequest, queryLatest } from "../src/index.ts";

function sample(name: string, value: number, device = "") {
  return {
    name,
    labels: device === "" ? [] : [{ name: "device", value: device }],
    kind: 1 as const,
    value,
    flags: 0,
  };
}

/** Hosts h00 to h39 with two metrics each; h07 has metadata only. */
async function storeOfHosts(): Promise<MemoryStore> {
  const store = new MemoryStore();
  await store.open();
  const hostIds = Array.from({ length: 40 }, (_, index) => `h${String(index).padStart(2, "0")}`);
  for (const [index, hostId] of hostIds.entries()) {
    if (index === 7) await store.setMetadata(hostId, { os: "linux" });
    else
      await store.write([
        fragmentFromSamples(hostId, 1_000 + index, [sample("up", index), sample("disk", 1, "sda")]),
      ]);
  }
  return store;
}

async function allPages(
  store: MemoryStore,
  request: LatestRequest,
  samplesPerPage = 1_000,
): Promise<string[][]> {
  const pages: string[][] = [];
  for (let after: string | undefined; ; ) {
    const page = await queryLatest(
      store,
      { ...request, ...(after !== undefined && { after }) },
      { samplesPerPage },
    );
    pages.push(page.hosts.map(({ hostId }) => hostId));
    if (page.next === undefined) return pages;
    after = page.next;
  }
}

describe("a latest query", () => {
  it("gives the last values of named hosts in order of id, hosts without data left out", async () => {
    const store = await storeOfHosts();
    const { hosts, next } = await queryLatest(store, {
      hostIds: ["h09", "h07", "h02", "h02", "nowhere"],
      name: "up",
    });
    expect(hosts).toEqual([
      { hostId: "h02", lastSeenMs: 1_002, samples: [{ ...sample("up", 2), timestampMs: 1_002 }] },
      { hostId: "h09", lastSeenMs: 1_009, samples: [{ ...sample("up", 9), timestampMs: 1_009 }] },
    ]);
    expect(next).toBeUndefined();
  });

  it("pages through all hosts, each once", async () => {
    const pages = await allPages(await storeOfHosts(), { pageSize: 9 });
    expect(pages.map((page) => page.length)).toEqual([8, 9, 9, 9, 4]);
    expect(pages.flat()).toEqual([...pages.flat()].sort());
  });

  it("says that there is no next page when the last one is full", async () => {
    expect((await allPages(await storeOfHosts(), { pageSize: 20 })).length).toBe(2);
  });

  it("matches on labels and on the host", async () => {
    const matchers = [
      { label: "device", type: "=~" as const, value: "sd." },
      { label: "__host__", type: "=~" as const, value: "h1[01]" },
    ];
    const { hosts } = await queryLatest(await storeOfHosts(), { matchers });
    expect(hosts.map(({ hostId, samples }) => [hostId, samples.map(({ name }) => name)])).toEqual([
      ["h10", ["disk"]],
      ["h11", ["disk"]],
    ]);
  });

  it.each([
    {},
    { hostIds: ["h39", "h00", "h17", "h16", "h01", ...Array.from({ length: 20 }, (_, i) => `h${i + 18}`)] },
  ])("ends a page early when it has enough samples", async (request) => {
    const store = await storeOfHosts();
    const pages = await allPages(store, request, 10);
    expect(Math.max(...pages.map((page) => page.length))).toBeLessThanOrEqual(16);
    expect(pages.flat()).toEqual((await allPages(store, request)).flat());
  });

  it.each([
    ["pageSize", { pageSize: 0 }, "expected pageSize to be from 1 to 10000, got 0"],
    ["pageSize", { pageSize: 10_001 }, "expected pageSize to be from 1 to 10000, got 10001"],
    ["hostIds", { hostIds: new Array(10_001).fill("a") }, "expected hostIds to be at most 10000, got 10001"],
    [
      "matchers",
      { matchers: [{ label: "a", type: "=~" as const, value: "[" }] },
      "matchers: expected a regular expression of RE2",
    ],
  ])("is refused, naming %s", async (field, request, message) => {
    await expect(queryLatest(await storeOfHosts(), request)).rejects.toMatchObject({
      code: "QUERY_INVALID",
      field,
      message: expect.stringContaining(message),
    });
  });

  it("ends when it is cancelled", async () => {
    const signal = AbortSignal.abort("enough");
    await expect(queryLatest(await storeOfHosts(), {}, { signal })).rejects.toMatchObject({
      name: "AbortError",
      code: "QUERY_CANCELLED",
      cause: "enough",
    });
  });
});
