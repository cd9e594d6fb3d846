import type { SampleInput } from "@mon/client";
import type { Collector } from "../collector.ts";
import { fieldsOf, linesOf, numberIn, type ProcFs } from "../proc-fs.ts";
import { counter } from "../sample.ts";

/** The most disks that are reported; beyond that, the last in the kernel's order are left out. */
const disksMax = 64;

/** `/proc/diskstats` counts sectors of 512 bytes, whatever the disk's own sectors are. */
const sectorBytes = 512;

/** Memory and files in the guise of disks: loop devices, RAM disks, compressed swap, optical and floppy drives. */
const notDisks = /^(loop|ram|zram|sr|fd)\d/;

interface Direction {
  readonly operations: number;
  readonly merged: number;
  readonly bytes: number;
  readonly seconds: number;
}

/** Counters of one block device since it appeared. */
export interface DiskStat {
  readonly device: string;
  readonly read: Direction;
  readonly write: Direction;
  /** Time with at least one operation under way. */
  readonly ioSeconds: number;
}

/** Reads `/proc/diskstats`. */
function parseDiskstats(text: string): DiskStat[] {
  return linesOf(text).map((line) => {
    const fields = fieldsOf(line);
    const device = fields[2] ?? "";
    const at = (index: number): number => numberIn(fields, index, `/proc/diskstats ${device}`);
    const direction = (first: number): Direction => ({
      operations: at(first),
      merged: at(first + 1),
      bytes: at(first + 2) * sectorBytes,
      seconds: at(first + 3) / 1_000,
    });
    return { device, read: direction(3), write: direction(7), ioSeconds: at(12) / 1_000 };
  });
}

/** Samples of one disk. */
function diskSamples({ device, read, write, ioSeconds }: DiskStat): SampleInput[] {
  const directions = Object.entries({ read, write }).flatMap(([direction, stat]) => {
    const labels = { disk_io_direction: direction, system_device: device };
    return [
      counter("system_disk_io_bytes_total", stat.bytes, labels),
      counter("system_disk_operations_total", stat.operations, labels),
      counter("system_disk_operation_time_seconds_total", stat.seconds, labels),
      counter("system_disk_merged_total", stat.merged, labels),
    ];
  });
  return [...directions, counter("system_disk_io_time_seconds_total", ioSeconds, { system_device: device })];
}

/**
 * Whole disks, from `/proc/diskstats`. Partitions are left out, so that bytes are not counted twice: `/sys/block` names
 * whole devices only. The library spawns programs, and knows only the sum of all disks.
 */
export class DiskCollector implements Collector {
  readonly name = "disk";
  readonly #proc: ProcFs;

  constructor(proc: ProcFs) {
    this.#proc = proc;
  }

  collect(): SampleInput[] {
    const whole = new Set(this.#proc.list("sys/block"));
    return parseDiskstats(this.#proc.read("proc/diskstats"))
      .filter(({ device }) => whole.has(device) && !notDisks.test(device))
      .slice(0, disksMax)
      .flatMap(diskSamples);
  }
}
