import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { csvLine } from "../src/csv.ts";
import { enumWord, jsonInteger, jsonNumber } from "../src/json.ts";
import { sparkline } from "../src/sparkline.ts";
import { formatTable } from "../src/table.ts";
import { displayWidth, printable } from "../src/text.ts";
import { formatValue, unitFromName } from "../src/units.ts";
import { property } from "./support/seed.ts";

describe("a table", () => {
  const columns = [{ title: "HOST" }, { title: "SERIES", align: "right" as const }, { title: "AGENT" }];

  it("aligns columns by what a terminal shows, without trailing spaces", () => {
    const rows = [
      ["web-1", "3", "mon-agent"],
      ["東京", "12345678", ""],
    ];
    expect(formatTable(columns, rows)).toBe(
      ["HOST     SERIES  AGENT", "web-1         3  mon-agent", "東京   12345678", ""].join("\n"),
    );
    expect(formatTable(columns, rows, { headers: false })).toBe(
      "web-1         3  mon-agent\n東京   12345678\n",
    );
  });

  it("of no rows is nothing", () => {
    expect(formatTable(columns, [])).toBe("");
  });
});

describe("a sparkline", () => {
  const draw = (values: number[], width = values.length): string =>
    sparkline({ timesMs: values.map((_, index) => index), values }, 0, values.length - 1, width);

  it.each([
    [[0, 1, 2, 3, 4, 5, 6, 7], "▁▂▃▄▅▆▇█"],
    [[5, 5, 5], "▄▄▄"],
    [[1, Number.NaN, 2], "▁ █"],
    [[-1e308, 1e308], "▁█"],
    [[Number.POSITIVE_INFINITY, 1], " ▄"],
  ])("of %j is %j", (values, line) => {
    expect(draw(values)).toBe(line);
  });

  it("shows the means of shares, and gaps as spaces", () => {
    expect(sparkline({ timesMs: [0, 10, 90], values: [1, 3, 9] }, 0, 100, 5)).toBe("▁   █");
    expect(sparkline({ timesMs: [], values: [] }, 0, 100, 3)).toBe("   ");
    expect(sparkline({ timesMs: [7], values: [1] }, 7, 7, 1)).toBe("▄");
  });

  it("has as many characters as asked, whatever the values", () => {
    fc.assert(
      fc.property(
        fc.array(fc.double(), { maxLength: 50 }),
        fc.integer({ min: 1, max: 60 }),
        (values, width) => {
          expect(draw(values, width)).toMatch(new RegExp(`^[ ▁▂▃▄▅▆▇█]{${width}}$`));
        },
      ),
      property,
    );
  });
});

describe("a value", () => {
  it.each([
    ["system_cpu_utilization_ratio", 0.12345, "12.35%"],
    ["system_memory_usage_bytes", 1_610_612_736, "1.5 GiB"],
    ["system_memory_usage_bytes", 1_023.99, "1 KiB"],
    ["system_network_io_bytes_total", 512, "512 B"],
    ["process_cpu_seconds_total", 0.0032, "3.2 ms"],
    ["process_uptime_seconds", 183_600, "2d 3h"],
    ["job_last_success_timestamp_seconds", 1_795_453_200, "2026-11-23T17:00:00.000Z"],
    ["room_temperature_celsius", -3.25, "-3.25 °C"],
    ["requests_total", 1_234_567, "1.235M"],
    ["requests_total", 9_999, "9999"],
    ["cpu_frequency_hertz", 2_400_000_000, "2.4 GHz"],
    ["x", Number.NaN, "NaN"],
    ["x", Number.NEGATIVE_INFINITY, "-Inf"],
  ])("of %s, %d, is written %s", (name, value, text) => {
    expect(formatValue(value, unitFromName(name))).toBe(text);
  });

  it("a second is marked as a rate", () => {
    expect(formatValue(2_048, "bytes", true)).toBe("2 KiB/s");
    expect(formatValue(0.25, "seconds", true)).toBe("0.25 s/s");
  });
});

describe("text from elsewhere", () => {
  it("cannot move a terminal's cursor or turn its writing direction", () => {
    expect(printable("a\u001b[2Jb\u202ec\n")).toBe("a\\u001b[2Jb\\u202ec\\u000a");
  });

  it("has the width that a terminal gives it", () => {
    expect(displayWidth("e\u0301")).toBe(1);
    expect(displayWidth("漢字😀")).toBe(6);
  });
});

describe("CSV", () => {
  it("quotes what needs it", () => {
    expect(csvLine(['a{b="c"}', "x,y", 1.5])).toBe('"a{b=""c""}","x,y",1.5\r\n');
  });
});

describe("JSON", () => {
  it("holds every number, the ones that it has no word for as protobuf does", () => {
    expect([jsonNumber(0.1), jsonNumber(Number.NaN), jsonNumber(Number.NEGATIVE_INFINITY)]).toEqual([
      0.1,
      "NaN",
      "-Infinity",
    ]);
    expect([jsonInteger(2n ** 53n - 1n), jsonInteger(2n ** 53n)]).toEqual([
      9_007_199_254_740_991,
      "9007199254740992",
    ]);
  });

  it("shows an unknown enum value as its number", () => {
    expect([enumWord({ FSYNC: 4 }, 4), enumWord({ FSYNC: 4 }, 9)]).toEqual(["fsync", "9"]);
  });
});
