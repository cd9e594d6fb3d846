import { describe, expect, it } from "vitest";
import { type Labels, VITALS, type Vital } from "../src/vital.ts";

const labels = (each: Record<string, string>): Labels => new Map(Object.entries(each));

function valuesAt(
  vital: Vital,
  series: [Record<string, string>, number | undefined][],
  alone = true,
): unknown[] {
  const lines = vital.lines(
    series.map(([each]) => labels(each)),
    alone,
  );
  return lines.map((line) => line.combine(series.map(([, value]) => value)));
}

describe("processor time in use", () => {
  it("is what the agent says", () => {
    expect(
      valuesAt(VITALS.cpu, [
        [{ cpu_mode: "idle" }, 0.3],
        [{ cpu_mode: "busy" }, 0.65],
      ]),
    ).toEqual([0.65]);
  });

  it("is all but idle and iowait, over all processors, when the agent gives modes", () => {
    const series: [Record<string, string>, number][] = [
      [{ cpu_logical_number: "0", cpu_mode: "idle" }, 0.5],
      [{ cpu_logical_number: "0", cpu_mode: "iowait" }, 0.1],
      [{ cpu_logical_number: "0", cpu_mode: "user" }, 0.4],
      [{ cpu_logical_number: "1", cpu_mode: "idle" }, 0.9],
      [{ cpu_logical_number: "1", cpu_mode: "user" }, 0.1],
    ];
    expect(valuesAt(VITALS.cpu, series)[0]).toBeCloseTo(0.25);
  });

  it("is the value itself when there are no modes", () => {
    expect(valuesAt(VITALS.cpu, [[{}, 0.4]])).toEqual([0.4]);
  });
});

describe("memory and filesystems in use", () => {
  it("count what is used, not what is free", () => {
    const series: [Record<string, string>, number][] = [
      [{ system_memory_state: "free" }, 0.7],
      [{ system_memory_state: "used" }, 0.3],
    ];
    expect(valuesAt(VITALS.memory, series)).toEqual([0.3]);
  });

  it("is that of the fullest filesystem", () => {
    const of = (mountpoint: string, state: string): Record<string, string> => ({
      system_filesystem_mode: "rw",
      system_filesystem_mountpoint: mountpoint,
      system_filesystem_state: state,
    });
    expect(
      valuesAt(VITALS.disk, [
        [of("/", "used"), 0.4],
        [of("/", "free"), 0.6],
        [of("/var", "used"), 0.5],
      ]),
    ).toEqual([0.5]);
  });
});

describe("network traffic", () => {
  const of = (device: string, direction: string): Record<string, string> => ({
    network_interface_name: device,
    network_io_direction: direction,
  });
  const series: [Record<string, string>, number][] = [
    [of("eth0", "receive"), 10],
    [of("eth1", "receive"), 5],
    [of("eth0", "transmit"), 2],
    [of("lo", "receive"), 1_000],
  ];

  it("is received and sent, over all interfaces but the loopback", () => {
    expect(valuesAt(VITALS.network, series)).toEqual([15, 2]);
  });

  it("is one sum for a host among others", () => {
    expect(valuesAt(VITALS.network, series, false)).toEqual([17]);
  });
});

it("a vital has no value where no series has one", () => {
  expect(valuesAt(VITALS.cpu, [[{}, undefined]])).toEqual([undefined]);
});
