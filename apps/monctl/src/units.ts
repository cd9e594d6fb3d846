import { formatDuration, formatInstant } from "./time.ts";

/** The unit of a metric's values, as its name tells it. */
type Unit =
  | "none"
  | "seconds"
  | "bytes"
  | "ratio"
  | "percent"
  | "celsius"
  | "hertz"
  | "volts"
  | "watts"
  | "joules"
  | "instant";

const suffixes: readonly (readonly [string, Unit])[] = [
  ["_timestamp_seconds", "instant"],
  ["_seconds", "seconds"],
  ["_bytes", "bytes"],
  ["_ratio", "ratio"],
  ["_percent", "percent"],
  ["_celsius", "celsius"],
  ["_hertz", "hertz"],
  ["_volts", "volts"],
  ["_watts", "watts"],
  ["_joules", "joules"],
];

/** Reads the unit off a metric's name, as Prometheus ends names: `_seconds`, `_bytes`, `_bytes_total`, `_ratio`. */
export function unitFromName(name: string): Unit {
  const base = name.replace(/_(?:total|sum|bucket)$/, "");
  return suffixes.find(([suffix]) => base.endsWith(suffix))?.[1] ?? "none";
}

/**
 * Writes a value for people, with four significant digits: `12.3%`, `1.5 GiB`, `3.2 ms`, `1.234k`.
 *
 * @param perSecond - the value is a rate: `/s` is added
 */
export function formatValue(value: number, unit: Unit, perSecond: boolean = false): string {
  if (Number.isNaN(value)) return "NaN";
  if (!Number.isFinite(value)) return value > 0 ? "+Inf" : "-Inf";
  return perSecond
    ? `${formatFinite(value, unit === "seconds" ? "none" : unit)}${unit === "seconds" ? " s/s" : "/s"}`
    : formatFinite(value, unit);
}

/** Writes a count of bytes with a binary prefix: `512 B`, `1.5 GiB`. */
export function formatBytes(bytes: number): string {
  return scaled(bytes, 1_024, ["B", "KiB", "MiB", "GiB", "TiB", "PiB"], " ");
}

/** Writes a plain number, from 10,000 on with a decimal prefix: `9999`, `12.5k`, `3.2M`. */
export function formatNumber(value: number): string {
  const size = Math.abs(value);
  if (size >= 10_000) return scaled(value, 1_000, ["", "k", "M", "G", "T", "P"], "");
  return significant(value);
}

function formatFinite(value: number, unit: Unit): string {
  switch (unit) {
    case "none":
      return formatNumber(value);
    case "bytes":
      return formatBytes(value);
    case "seconds":
      return formatSeconds(value);
    case "ratio":
      return `${significant(value * 100)}%`;
    case "percent":
      return `${significant(value)}%`;
    case "celsius":
      return `${significant(value)} °C`;
    case "hertz":
      return scaled(value, 1_000, ["Hz", "kHz", "MHz", "GHz", "THz"], " ");
    case "volts":
      return `${significant(value)} V`;
    case "watts":
      return scaled(value, 1_000, ["W", "kW", "MW"], " ");
    case "joules":
      return scaled(value, 1_000, ["J", "kJ", "MJ", "GJ"], " ");
    case "instant":
      return formatInstant(value * 1_000);
    default:
      return unit satisfies never;
  }
}

function formatSeconds(seconds: number): string {
  const size = Math.abs(seconds);
  if (size === 0) return "0 s";
  if (size < 1e-6) return `${significant(seconds * 1e9)} ns`;
  if (size < 1e-3) return `${significant(seconds * 1e6)} µs`;
  if (size < 1) return `${significant(seconds * 1e3)} ms`;
  if (size < 60) return `${significant(seconds)} s`;
  return (seconds < 0 ? "-" : "") + formatDuration(size * 1_000);
}

function scaled(value: number, base: number, prefixes: readonly string[], space: string): string {
  let index = 0;
  let rest = value;
  while (Math.abs(Number(rest.toPrecision(4))) >= base && index < prefixes.length - 1) {
    rest /= base;
    index++;
  }
  return significant(rest) + space + prefixes[index]!;
}

function significant(value: number): string {
  return String(Number(value.toPrecision(4)));
}
