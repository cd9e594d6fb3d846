/** What a value is measured in, read from the end of a metric's name. */
export type Unit =
  | "none"
  | "ratio"
  | "percent"
  | "bytes"
  | "seconds"
  | "milliseconds"
  | "celsius"
  | "hertz"
  | "volts"
  | "amperes"
  | "watts"
  | "joules"
  | "bytes/s"
  | "seconds/s"
  | "per second";

const SUFFIXES: readonly (readonly [suffix: string, unit: Unit])[] = [
  ["_ratio", "ratio"],
  ["_percent", "percent"],
  ["_bytes", "bytes"],
  ["_milliseconds", "milliseconds"],
  ["_seconds", "seconds"],
  ["_celsius", "celsius"],
  ["_hertz", "hertz"],
  ["_volts", "volts"],
  ["_amperes", "amperes"],
  ["_watts", "watts"],
  ["_joules", "joules"],
];

/**
 * The unit of a metric's values: `_bytes` → bytes, `_ratio` → a part of one, and so on; `_total` is looked past.
 *
 * @param rate - whether the values are increases a second, as those of a counter are shown
 */
export function unitOfMetric(name: string, rate = false): Unit {
  const stem = name.endsWith("_total") ? name.slice(0, -"_total".length) : name;
  const unit = SUFFIXES.find(([suffix]) => stem.endsWith(suffix))?.[1] ?? "none";
  if (!rate) return unit;
  if (unit === "bytes") return "bytes/s";
  if (unit === "seconds") return "seconds/s";
  if (unit === "joules") return "watts";
  return "per second";
}

interface Scale {
  readonly factor: number;
  readonly symbol: string;
}

const BYTES = ["B", "KiB", "MiB", "GiB", "TiB", "PiB"];
const THOUSANDS = ["", "k", "M", "G", "T", "P"];
const SYMBOLS: Partial<Record<Unit, string>> = {
  celsius: "°C",
  hertz: "Hz",
  volts: "V",
  amperes: "A",
  watts: "W",
  joules: "J",
};

function stepped(magnitude: number, base: number, symbols: readonly string[]): Scale {
  let step = 0;
  // 999.5 and more would print as "1,000": it belongs to the next symbol.
  while (step < symbols.length - 1 && magnitude >= base ** (step + 1) * (1 - 0.5 / base)) step++;
  return { factor: base ** step, symbol: symbols[step]! };
}

/** How values of about `magnitude` are written: what they are divided by, and what stands behind them. */
function scaleOf(magnitude: number, unit: Unit): Scale {
  switch (unit) {
    case "ratio":
      return { factor: 0.01, symbol: "%" };
    case "percent":
      return { factor: 1, symbol: "%" };
    case "bytes":
      return stepped(magnitude, 1024, BYTES);
    case "bytes/s": {
      const scale = stepped(magnitude, 1024, BYTES);
      return { factor: scale.factor, symbol: `${scale.symbol}/s` };
    }
    case "seconds":
      return secondsScale(magnitude);
    case "milliseconds": {
      const scale = secondsScale(magnitude / 1000);
      return { factor: scale.factor * 1000, symbol: scale.symbol };
    }
    case "seconds/s":
      return { factor: 1, symbol: "s/s" };
    case "per second": {
      const scale = stepped(magnitude, 1000, THOUSANDS);
      return { factor: scale.factor, symbol: `${scale.symbol}/s` };
    }
    case "none":
      return stepped(magnitude, 1000, THOUSANDS);
    case "celsius":
      return { factor: 1, symbol: "°C" };
    default: {
      const scale = stepped(magnitude, 1000, THOUSANDS);
      return { factor: scale.factor, symbol: scale.symbol + SYMBOLS[unit]! };
    }
  }
}

function secondsScale(magnitude: number): Scale {
  if (magnitude > 0 && magnitude < 0.9995e-3) return { factor: 1e-6, symbol: "µs" };
  if (magnitude > 0 && magnitude < 0.9995) return { factor: 1e-3, symbol: "ms" };
  if (magnitude < 120) return { factor: 1, symbol: "s" };
  if (magnitude < 7_200) return { factor: 60, symbol: "min" };
  if (magnitude < 172_800) return { factor: 3_600, symbol: "h" };
  return { factor: 86_400, symbol: "d" };
}

/** Between a number and its unit. */
const NBSP = "\u00a0";

function joined(digits: string, symbol: string): string {
  return symbol === "" ? digits : `${digits}${NBSP}${symbol}`;
}

/**
 * Three significant digits, never an exponent, thousands grouped: 0.0123, 1.20, 12.3, 123, 1,234. Zeros at the end stay,
 * so that a figure that changes keeps its width.
 */
function threeDigits(value: number): string {
  // Rounded first: 0.9999 prints as 1.00, not as 1.000.
  const magnitude = Math.abs(Number(value.toPrecision(3)));
  if (magnitude === 0) return "0";
  const decimals = Math.min(6, Math.max(0, 2 - Math.floor(Math.log10(magnitude) + 1e-9)));
  return value.toLocaleString("en", { minimumFractionDigits: decimals, maximumFractionDigits: decimals });
}

/**
 * A value as people read it, with its unit: `12.3 %`, `1.5 GiB`, `48 ms`, `3.2 k/s`. Three significant digits, except
 * that parts of one keep one decimal, so that a column of them lines up. What is not a number is a dash.
 */
export function formatValue(value: number | null | undefined, unit: Unit): string {
  if (value === null || value === undefined || Number.isNaN(value)) return "–";
  if (!Number.isFinite(value)) return value > 0 ? "∞" : "−∞";
  const { factor, symbol } = scaleOf(Math.abs(value), unit);
  const scaled = value / factor;
  if (unit === "ratio" || unit === "percent")
    return joined(scaled.toFixed(Math.abs(scaled) >= 1000 ? 0 : 1), symbol);
  const whole = Number.isInteger(scaled) && Math.abs(scaled) < 10_000;
  return joined(whole ? scaled.toLocaleString("en") : threeDigits(scaled), symbol);
}

/** Labels for the ticks of an axis: one scale for all of them, and just the decimals that tell them apart. */
export function formatTicks(ticks: readonly number[], unit: Unit): string[] {
  const largest = ticks.reduce((max, tick) => Math.max(max, Math.abs(tick)), 0);
  const { factor, symbol } = scaleOf(largest, unit);
  const distance = ticks.length > 1 ? Math.abs(ticks[1]! - ticks[0]!) / factor : 1;
  let decimals = 0;
  while (decimals < 6 && Math.abs(distance * 10 ** decimals - Math.round(distance * 10 ** decimals)) > 1e-6)
    decimals++;
  return ticks.map((tick) =>
    joined(
      (tick / factor).toLocaleString("en", {
        minimumFractionDigits: decimals,
        maximumFractionDigits: decimals,
      }),
      symbol,
    ),
  );
}

/** Whether a unit counts in powers of 1,024, so that an axis should be divided by those. */
export function isBinary(unit: Unit): boolean {
  return unit === "bytes" || unit === "bytes/s";
}

/** A whole number, shortened from ten thousand on: 9,999, 12.3 k, 4.56 M. */
export function formatCount(value: number): string {
  return value < 10_000 ? Math.round(value).toLocaleString("en") : formatValue(value, "none");
}

/** A duration in milliseconds as its two largest parts: `340 ms`, `12 s`, `4 min 10 s`, `3 d 4 h`. */
export function formatDuration(durationMs: number): string {
  if (durationMs < 1_000) return formatValue(durationMs, "milliseconds");
  const seconds = Math.floor(durationMs / 1_000);
  if (seconds < 60) return `${seconds}${NBSP}s`;
  const parts = [
    [Math.floor(seconds / 86_400), "d"],
    [Math.floor(seconds / 3_600) % 24, "h"],
    [Math.floor(seconds / 60) % 60, "min"],
    [seconds % 60, "s"],
  ] as const;
  const first = parts.findIndex(([count]) => count > 0);
  return parts
    .slice(first, first + 2)
    .filter(([count]) => count > 0)
    .map(([count, symbol]) => `${count}${NBSP}${symbol}`)
    .join(" ");
}
