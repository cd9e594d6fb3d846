import { Kind } from "@mon/store";

/** A metric as OpenTelemetry describes it. */
export interface OpenTelemetryMetric {
  /** For example `system.cpu.utilization`. */
  readonly name: string;
  /** In UCUM's notation, for example `By`, `1`, `By/s`; absent when it is not known. */
  readonly unit?: string;
  readonly kind: Kind;
}

/** UCUM's units as Prometheus spells them out; others stay as they are. */
const units: Readonly<Record<string, string>> = {
  d: "days",
  h: "hours",
  min: "minutes",
  s: "seconds",
  ms: "milliseconds",
  us: "microseconds",
  ns: "nanoseconds",
  By: "bytes",
  KiBy: "kibibytes",
  MiBy: "mebibytes",
  GiBy: "gibibytes",
  TiBy: "tebibytes",
  KBy: "kilobytes",
  kBy: "kilobytes",
  MBy: "megabytes",
  GBy: "gigabytes",
  TBy: "terabytes",
  m: "meters",
  V: "volts",
  A: "amperes",
  J: "joules",
  W: "watts",
  g: "grams",
  Cel: "celsius",
  Hz: "hertz",
  "1": "",
  "%": "percent",
};

/** Units after a stroke, in the singular. */
const perUnits: Readonly<Record<string, string>> = {
  s: "second",
  m: "minute",
  h: "hour",
  d: "day",
  w: "week",
  mo: "month",
  y: "year",
};

/**
 * The Prometheus name of an OpenTelemetry metric, by OpenTelemetry's published rules: words joined by single
 * underscores, then the unit, `_total` for a counter, `_ratio` for a gauge of unit 1, none of them twice. A unit in
 * braces is a remark and left out.
 *
 * @returns the empty string when nothing is left of the name
 * @see https://opentelemetry.io/docs/specs/otel/compatibility/prometheus_and_openmetrics/#otlp-metric-points-to-prometheus
 * @example
 * prometheusName({ name: "system.cpu.utilization", unit: "1", kind: Kind.gauge }); // system_cpu_utilization_ratio
 */
export function prometheusName({ name, unit = "", kind }: OpenTelemetryMetric): string {
  const words = wordsOf(name);
  if (words.length === 0) return "";
  const [main = "", per = ""] = splitUnit(unit);
  const unitWord = isRemark(main) ? "" : wordsOf(units[main] ?? main).join("_");
  if (unitWord !== "" && !words.includes(unitWord)) words.push(unitWord);
  const perWord = isRemark(per) ? "" : wordsOf(perUnits[per] ?? per).join("_");
  if (perWord !== "" && !words.includes(`per_${perWord}`)) words.push(`per_${perWord}`);
  const named = withSuffix(words, unit, kind).join("_");
  return /^[0-9]/.test(named) ? `_${named}` : named;
}

/**
 * The Prometheus name of an OpenTelemetry attribute: what a label may not have becomes an underscore, and a name that
 * would start with a digit or an underscore gets `key` before it.
 *
 * @example
 * prometheusLabel("cpu.mode"); // cpu_mode
 */
export function prometheusLabel(key: string): string {
  const label = key.replaceAll(/[^a-zA-Z0-9]+/g, "_");
  if (/^[0-9]/.test(label)) return `key_${label}`;
  return label.startsWith("_") ? `key${label}` : label;
}

function wordsOf(text: string): string[] {
  return text.split(/[^a-zA-Z0-9:]+/).filter((word) => word !== "");
}

function splitUnit(unit: string): string[] {
  const stroke = unit.indexOf("/");
  return (stroke < 0 ? [unit] : [unit.slice(0, stroke), unit.slice(stroke + 1)]).map((part) => part.trim());
}

function isRemark(unit: string): boolean {
  return /[{}]/.test(unit);
}

function withSuffix(words: readonly string[], unit: string, kind: Kind): readonly string[] {
  if (kind === Kind.counter) return [...words.filter((word) => word !== "total"), "total"];
  if (unit === "1" && kind === Kind.gauge) return [...words.filter((word) => word !== "ratio"), "ratio"];
  return words;
}
