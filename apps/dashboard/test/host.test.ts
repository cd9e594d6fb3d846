import { create } from "@bufbuild/protobuf";
import { HostLatestSchema, HostSchema, LatestValueSchema } from "@mon/proto";
import { describe, expect, it } from "vitest";
import { hasVitals, rowFromHost, rowWithLatest, rowWithRecent } from "../src/host.ts";

const now = 1_700_000_000_000;
const host = (lastSeenMs: number) =>
  create(HostSchema, { hostId: "web-1", lastSeenMs: BigInt(lastSeenMs), series: 3 });

describe("a host's row", () => {
  it("learns the rhythm of a host from its newest instants", () => {
    const first = rowFromHost(host(now), undefined, now);
    expect(first.intervalMs).toBeNull();
    const second = rowFromHost(host(now + 15_000), first, now + 15_100);
    expect(second.intervalMs).toBe(15_000);
    const third = rowFromHost(host(now + 45_000), second, now + 45_100);
    expect(third.intervalMs, "one missed report does not change it").toBe(15_000);
  });

  it("never goes back in time", () => {
    const row = rowFromHost(host(now), undefined, now);
    expect(rowFromHost(host(now - 5_000), row, now).lastSeenMs).toBe(now);
  });

  it("has the vitals that the host reports", () => {
    const latest = create(HostLatestSchema, {
      hostId: "web-1",
      lastSeenMs: BigInt(now),
      values: [
        { sample: { name: "system_cpu_utilization_ratio", value: 0.4 } },
        { sample: { name: "room_temperature_celsius", value: 21 } },
      ],
    });
    const row = rowWithLatest(rowFromHost(host(now), undefined, now), latest, now);
    expect(row.vitals).toEqual({ cpu: 0.4 });
    expect(hasVitals(row)).toBe(true);
  });

  it("has the newest metrics of a host without vitals", () => {
    const values = [1, 4, 2, 3].map((place) =>
      create(LatestValueSchema, {
        sample: { name: `metric_${place}`, value: place },
        timestampMs: BigInt(now + place),
      }),
    );
    const row = rowWithRecent(rowFromHost(host(now), undefined, now), values);
    expect(row.recent.map(({ name }) => name)).toEqual(["metric_4", "metric_3", "metric_2"]);
    expect(hasVitals(row)).toBe(false);
  });
});
