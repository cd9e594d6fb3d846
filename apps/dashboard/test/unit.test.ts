import fc from "fast-check";
import { describe, expect, it } from "vitest";
import {
  formatCount,
  formatDuration,
  formatTicks,
  formatValue,
  type Unit,
  unitOfMetric,
} from "../src/unit.ts";

const seed = process.env.SEED === undefined ? {} : { seed: Number(process.env.SEED) };
/** Figures as they print, with plain spaces. */
const plain = (text: string): string => text.replaceAll("\u00a0", " ");

describe("the unit of a metric", () => {
  it("is what its name ends with", () => {
    expect(unitOfMetric("system_cpu_utilization_ratio")).toBe("ratio");
    expect(unitOfMetric("system_memory_usage_bytes")).toBe("bytes");
    expect(unitOfMetric("room_temperature_celsius")).toBe("celsius");
    expect(unitOfMetric("system_cpu_load_average_1m")).toBe("none");
  });

  it("looks past _total", () => {
    expect(unitOfMetric("process_cpu_seconds_total")).toBe("seconds");
  });

  it("is a second when the values are rates", () => {
    expect(unitOfMetric("system_network_io_bytes_total", true)).toBe("bytes/s");
    expect(unitOfMetric("system_cpu_time_seconds_total", true)).toBe("seconds/s");
    expect(unitOfMetric("energy_joules_total", true)).toBe("watts");
    expect(unitOfMetric("http_requests_total", true)).toBe("per second");
  });
});

describe("a value as people read it", () => {
  const cases: [value: number, unit: Unit, text: string][] = [
    [0.1234, "ratio", "12.3 %"],
    [0, "ratio", "0.0 %"],
    [12.345, "ratio", "1235 %"],
    [512, "bytes", "512 B"],
    [1536, "bytes", "1.50 KiB"],
    [1_610_612_736, "bytes", "1.50 GiB"],
    [1_048_575, "bytes", "1.00 MiB"],
    [46 * 2 ** 20, "bytes", "46 MiB"],
    [46_080, "bytes/s", "45 KiB/s"],
    [0.0018, "seconds", "1.80 ms"],
    [0.0000421, "seconds", "42.1 µs"],
    [7_500, "seconds", "2.08 h"],
    [1.8, "milliseconds", "1.80 ms"],
    [3_200, "per second", "3.20 k/s"],
    [21.5, "celsius", "21.5 °C"],
    [-4, "celsius", "-4 °C"],
    [0.464, "none", "0.464"],
    [7, "none", "7"],
    [0, "none", "0"],
  ];
  it.each(cases)("%d in %s is %s", (value, unit, text) => {
    expect(plain(formatValue(value, unit))).toBe(text);
  });

  it("is a dash when there is none", () => {
    expect(formatValue(undefined, "bytes")).toBe("–");
    expect(formatValue(null, "bytes")).toBe("–");
    expect(formatValue(Number.NaN, "bytes")).toBe("–");
  });

  it("never has an exponent, and never more than four digits before its point", () => {
    fc.assert(
      fc.property(fc.double({ min: 1e-4, max: 1e15, noNaN: true }), (value) => {
        expect(plain(formatValue(value, "bytes"))).toMatch(/^[\d,]{1,5}(\.\d+)? [KMGTP]?i?B$/);
      }),
      seed,
    );
  });
});

describe("the ticks of an axis", () => {
  it("share one scale and the decimals that tell them apart", () => {
    expect(formatTicks([0, 0.25, 0.5], "ratio").map(plain)).toEqual(["0 %", "25 %", "50 %"]);
    expect(formatTicks([0, 2.5, 5], "milliseconds").map(plain)).toEqual(["0.0 ms", "2.5 ms", "5.0 ms"]);
    expect(formatTicks([0, 32_768, 65_536], "bytes/s").map(plain)).toEqual([
      "0 KiB/s",
      "32 KiB/s",
      "64 KiB/s",
    ]);
  });
});

describe("counts and durations", () => {
  it("shortens counts from ten thousand on", () => {
    expect(formatCount(9_999)).toBe("9,999");
    expect(plain(formatCount(12_345))).toBe("12.3 k");
  });

  it("gives a duration as its two largest parts", () => {
    expect(plain(formatDuration(340))).toBe("340 ms");
    expect(plain(formatDuration(12_000))).toBe("12 s");
    expect(plain(formatDuration(250_000))).toBe("4 min 10 s");
    expect(plain(formatDuration(273_600_000))).toBe("3 d 4 h");
    expect(plain(formatDuration(604_800_000))).toBe("7 d");
  });
});
