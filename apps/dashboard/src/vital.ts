import { type Unit, unitOfMetric } from "./unit.ts";

/** Label names with their values. */
export type Labels = ReadonlyMap<string, string>;

/** One line that is made from some of the series of a metric. */
export interface Line {
  /** What sets it apart from the other lines of the same host; empty when it is the only one. */
  readonly name: string;
  /** Its value at an instant from those of all series, in the order in which their labels were given. */
  combine(values: readonly (number | null | undefined)[]): number | undefined;
}

/** A figure that every machine has, whatever labels its agent gives to the series behind it. */
export interface Vital {
  readonly id: "cpu" | "memory" | "load" | "disk" | "uptime" | "network";
  readonly title: string;
  /** The metric, by OpenTelemetry's name for it as Prometheus writes it. */
  readonly name: string;
  /** Whether its increase a second is shown. */
  readonly rate: boolean;
  readonly unit: Unit;
  /** Where its axis ends at least; null where the data alone says. */
  readonly axisMax: number | null;
  /**
   * Finds the lines in the series of one host.
   *
   * @param alone - whether the host stands alone; among others it has one line
   */
  lines(labels: readonly Labels[], alone: boolean): Line[];
}

const MODE = /(^|_)(mode|state)$/;
const STATE = /(^|_)state$/;
const PROCESSOR = /(^|_)(cpu|logical_number|core)$/;
const DIRECTION = /(^|_)direction$/;
const DEVICE = /(^|_)(device|interface|interface_name)$/;

function label(labels: Labels, name: RegExp): string | undefined {
  for (const [key, value] of labels) if (name.test(key)) return value;
  return undefined;
}

function present(values: readonly (number | null | undefined)[], indexes: readonly number[]): number[] {
  return indexes.map((index) => values[index]).filter((value) => typeof value === "number");
}

function indexesWhere(labels: readonly Labels[], holds: (labels: Labels) => boolean): number[] {
  return labels.flatMap((each, index) => (holds(each) ? [index] : []));
}

function sum(values: readonly number[]): number {
  return values.reduce((total, value) => total + value, 0);
}

/** A line of the given series; without a value where none of them has one. */
function lineOf(
  name: string,
  indexes: readonly number[],
  reduce: (values: readonly number[]) => number,
): Line {
  return {
    name,
    combine(values) {
      const found = present(values, indexes);
      return found.length === 0 ? undefined : reduce(found);
    },
  };
}

/** The part of processor time that was not idle, over all processors: as the agent says it, or from its modes. */
function busyLines(labels: readonly Labels[]): Line[] {
  const processors = Math.max(1, new Set(labels.map((each) => label(each, PROCESSOR))).size);
  const busy = indexesWhere(labels, (each) => label(each, MODE) === "busy");
  if (busy.length > 0) return [lineOf("", busy, (values) => sum(values) / processors)];
  const resting = indexesWhere(labels, (each) =>
    ["idle", "iowait", "wait"].includes(label(each, MODE) ?? ""),
  );
  if (resting.length > 0) {
    return [lineOf("", resting, (values) => Math.max(0, 1 - sum(values) / processors))];
  }
  return [
    lineOf(
      "",
      indexesWhere(labels, () => true),
      (values) => sum(values) / processors,
    ),
  ];
}

/** Only what is in use, where a metric tells used from free. */
function usedIndexes(labels: readonly Labels[]): number[] {
  const used = indexesWhere(labels, (each) => label(each, STATE) === "used");
  return used.length > 0 ? used : indexesWhere(labels, () => true);
}

function largestLine(labels: readonly Labels[]): Line[] {
  return [lineOf("", usedIndexes(labels), (values) => Math.max(...values))];
}

/** Bytes received and sent by all interfaces but the loopback. */
function trafficLines(labels: readonly Labels[], alone: boolean): Line[] {
  const outside = (each: Labels): boolean => !/^lo\d*$/.test(label(each, DEVICE) ?? "");
  const directions = [
    ["received", "receive"],
    ["sent", "transmit"],
  ] as const;
  const lines = directions.flatMap(([name, direction]) => {
    const indexes = indexesWhere(labels, (each) => outside(each) && label(each, DIRECTION) === direction);
    return indexes.length > 0 ? [lineOf(name, indexes, sum)] : [];
  });
  return alone && lines.length > 0 ? lines : [lineOf("", indexesWhere(labels, outside), sum)];
}

function vital(
  id: Vital["id"],
  title: string,
  name: string,
  lines: Vital["lines"],
  axisMax: number | null = null,
): Vital {
  const rate = name.endsWith("_total");
  return { id, title, name, rate, unit: unitOfMetric(name, rate), axisMax, lines };
}

/** The vitals by their ids. */
export const VITALS: Readonly<Record<Vital["id"], Vital>> = {
  cpu: vital("cpu", "CPU", "system_cpu_utilization_ratio", busyLines, 1),
  memory: vital("memory", "Memory", "system_memory_utilization_ratio", largestLine, 1),
  load: vital("load", "Load, 1 min", "system_cpu_load_average_1m", largestLine, 1),
  network: vital("network", "Network, in and out", "system_network_io_bytes_total", trafficLines),
  disk: vital("disk", "Fullest filesystem", "system_filesystem_utilization_ratio", largestLine, 1),
  uptime: vital("uptime", "Uptime", "system_uptime_seconds", largestLine),
};

/** Vitals that have a column in the table of hosts. */
export const COLUMN_VITALS: readonly Vital[] = [
  VITALS.cpu,
  VITALS.memory,
  VITALS.load,
  VITALS.disk,
  VITALS.uptime,
];

/** Vitals that have a chart. */
export const CHART_VITALS: readonly Vital[] = [VITALS.cpu, VITALS.memory, VITALS.load, VITALS.network];
