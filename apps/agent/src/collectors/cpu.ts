import type { SampleInput } from "@mon/client";
import type { Collector } from "../collector.ts";
import { fieldsOf, linesOf, numberIn, type ProcFs } from "../proc-fs.ts";
import { counter, gauge, ratio } from "../sample.ts";

/** OpenTelemetry's well-known values of `cpu.mode`, as far as Linux tells them apart. */
const modes = ["user", "nice", "system", "idle", "iowait", "interrupt", "steal"] as const;

type CpuMode = (typeof modes)[number];

/** Seconds in each mode since the machine started. */
export type CpuTimes = Readonly<Record<CpuMode, number>>;

/** Times of the machine and of each logical CPU. */
export interface CpuStat {
  readonly total: CpuTimes;
  /** By logical number; a CPU that is offline is missing. */
  readonly cpus: ReadonlyMap<number, CpuTimes>;
}

/** `/proc/stat` counts in USER_HZ, which is 100 on every architecture that Node runs on. */
const ticksPerSecond = 100;

/** Beyond this many CPUs their times come summed, without `cpu_logical_number`. */
const cpusMax = 64;

/** Reads the `cpu` lines of `/proc/stat`. Guest time is part of user time, as in the kernel. */
export function parseCpuStat(text: string): CpuStat {
  let total: CpuTimes | undefined;
  const cpus = new Map<number, CpuTimes>();
  for (const line of linesOf(text)) {
    if (!line.startsWith("cpu")) break; // The kernel writes the cpu lines first, and what follows may be long.
    const fields = fieldsOf(line);
    const seconds = (index: number): number =>
      numberIn(fields, index, `/proc/stat ${fields[0]}`) / ticksPerSecond;
    const times: CpuTimes = {
      user: seconds(1),
      nice: seconds(2),
      system: seconds(3),
      idle: seconds(4),
      iowait: seconds(5),
      interrupt: seconds(6) + seconds(7),
      steal: fields.length > 8 ? seconds(8) : 0,
    };
    if (fields[0] === "cpu") total = times;
    else cpus.set(Number(fields[0]?.slice(3)), times);
  }
  if (total === undefined) throw new Error("expected a cpu line first in /proc/stat");
  return { total, cpus };
}

/**
 * Shares of the time between two readings: of each mode, which add up to 1, and "busy", all but idle and iowait.
 * None when no time has passed. A mode that seems to run backwards, as iowait may, counts as standing still.
 */
export function utilization(before: CpuTimes, after: CpuTimes): SampleInput[] {
  const name = "system_cpu_utilization_ratio";
  const spent = modes.map((mode) => Math.max(0, after[mode] - before[mode]));
  const whole = spent.reduce((sum, seconds) => sum + seconds, 0);
  if (whole === 0) return [];
  const byMode = modes.map((mode, index) => ratio(name, spent[index] ?? 0, whole, { cpu_mode: mode }));
  const waiting = (spent[modes.indexOf("idle")] ?? 0) + (spent[modes.indexOf("iowait")] ?? 0);
  return [...byMode, ratio(name, whole - waiting, whole, { cpu_mode: "busy" })];
}

function timeSamples(times: CpuTimes, labels: Record<string, string>): SampleInput[] {
  return modes.map((mode) =>
    counter("system_cpu_time_seconds_total", times[mode], { ...labels, cpu_mode: mode }),
  );
}

/**
 * CPU time by logical CPU and mode, and utilisation of the whole machine by mode.
 *
 * From `/proc/stat`: `os.cpus()` has neither iowait nor steal and reads the clock of each core besides.
 */
export class CpuCollector implements Collector {
  readonly name = "cpu";
  readonly #proc: ProcFs;
  #before: CpuTimes | undefined;

  constructor(proc: ProcFs) {
    this.#proc = proc;
  }

  collect(): SampleInput[] {
    const { total, cpus } = parseCpuStat(this.#proc.read("proc/stat"));
    const shares = this.#before === undefined ? [] : utilization(this.#before, total);
    this.#before = total;
    const times =
      cpus.size > cpusMax
        ? timeSamples(total, {})
        : [...cpus].flatMap(([number, each]) => timeSamples(each, { cpu_logical_number: String(number) }));
    return [...times, ...shares, gauge("system_cpu_logical_count", cpus.size)];
  }
}
