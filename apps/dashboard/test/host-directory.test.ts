import { createRouterTransport } from "@connectrpc/connect";
import { QueryService } from "@mon/proto";
import { describe, expect, it } from "vitest";
import { Broker } from "../src/broker.ts";
import { HostDirectory } from "../src/host-directory.ts";

const { signal } = new AbortController();

/** A broker with these hosts, and a record of what it was asked. */
function brokerWith(hosts: string[]) {
  const asked: string[][] = [];
  const transport = createRouterTransport(({ service }) =>
    service(QueryService, {
      listHosts({ pageSize, pageToken }) {
        const first = Number(pageToken);
        const end = first + pageSize;
        return {
          hosts: hosts.slice(first, end).map((hostId) => ({ hostId, lastSeenMs: 1_000n, series: 1 })),
          nextPageToken: end < hosts.length ? String(end) : "",
          hostsTotal: BigInt(hosts.length),
        };
      },
      queryLatest(request) {
        asked.push(request.hosts);
        const name =
          request.matchers.length > 0 ? "system_cpu_utilization_ratio" : "room_temperature_celsius";
        return {
          hosts: request.hosts
            .filter((hostId) => hostId.startsWith("room") === (request.matchers.length === 0))
            .map((hostId) => ({ hostId, lastSeenMs: 2_000n, values: [{ sample: { name, value: 0.5 } }] })),
          partial: hosts.includes("damaged"),
          missing: ["block 7 is damaged"],
        };
      },
    }),
  );
  return { broker: new Broker(transport), asked };
}

describe("the directory of hosts", () => {
  it("knows all hosts of a small broker after one step, with their vitals", async () => {
    const directory = new HostDirectory(brokerWith(["a", "b"]).broker);
    await directory.step([], 2_000, signal);
    expect(directory.complete).toBe(true);
    expect([...directory.rows.values()].map((row) => [row.id, row.vitals.cpu, row.freshness])).toEqual([
      ["a", 0.5, "fresh"],
      ["b", 0.5, "fresh"],
    ]);
  });

  it("goes through ten thousand hosts a thousand at a time, and always reads those in view", async () => {
    const hosts = Array.from({ length: 10_000 }, (_, index) => `h${String(index).padStart(5, "0")}`);
    const { broker, asked } = brokerWith(hosts);
    const directory = new HostDirectory(broker);
    for (let step = 0; step < 10; step++) await directory.step(["h00007"], 2_000, signal);
    expect([directory.complete, directory.rows.size, directory.total]).toEqual([true, 10_000, 10_000]);
    expect(asked).toHaveLength(10);
    for (const ids of asked) {
      expect(ids).toContain("h00007");
      expect(ids.length).toBeLessThanOrEqual(1_001);
    }
  });

  it("forgets hosts that are gone", async () => {
    const hosts = ["a", "b"];
    const directory = new HostDirectory(brokerWith(hosts).broker);
    await directory.step([], 2_000, signal);
    hosts.shift();
    await directory.step([], 4_000, signal);
    expect([...directory.rows.keys()]).toEqual(["b"]);
  });

  it("reads the newest metrics of hosts in view that have no vitals", async () => {
    const directory = new HostDirectory(brokerWith(["a", "room"]).broker);
    await directory.step(["a", "room"], 2_000, signal);
    expect(directory.rows.get("room")?.recent).toEqual([{ name: "room_temperature_celsius", value: 0.5 }]);
  });

  it("says what an answer is missing", async () => {
    const directory = new HostDirectory(brokerWith(["damaged"]).broker);
    await directory.step([], 2_000, signal);
    expect(directory.missing).toEqual(["block 7 is damaged"]);
  });
});
