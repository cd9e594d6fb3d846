import fs from "node:fs";

/** `/proc` counts in USER_HZ, which is 100 on every architecture that Node runs on. */
const ticksPerSecond = 100;

/**
 * Processor time that a process has used, user and system, in seconds, to 10 ms: of all its threads, those that have
 * ended included.
 *
 * @throws when the process is gone, or the system has no `/proc`
 */
export function cpuSeconds(pid: number): number {
  return parseCpuSeconds(fs.readFileSync(`/proc/${pid}/stat`, "latin1"));
}

/** Fields 14 and 15 of `/proc/<pid>/stat`. The name before them may hold spaces and brackets. */
export function parseCpuSeconds(stat: string): number {
  const fields = stat.slice(stat.lastIndexOf(")") + 2).split(" ");
  const ticks = Number(fields[11]) + Number(fields[12]);
  if (!Number.isFinite(ticks)) throw new Error(`expected utime and stime, got ${JSON.stringify(stat)}`);
  return ticks / ticksPerSecond;
}
