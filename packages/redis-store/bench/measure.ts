import { readFileSync } from "node:fs";

/** What some work took. */
export interface Cost {
  readonly seconds: number;
  /** Of this process, all threads. */
  readonly clientCpuUs: number;
  /** Of the server. */
  readonly serverCpuUs: number;
}

/** Measures some work of this process and of a server's. */
export async function measure(serverPid: number, work: () => Promise<void>): Promise<Cost> {
  const serverBefore = cpuUsOf(serverPid);
  const cpu = process.cpuUsage();
  const begin = performance.now();
  await work();
  const seconds = (performance.now() - begin) / 1_000;
  const { user, system } = process.cpuUsage(cpu);
  return { seconds, clientCpuUs: user + system, serverCpuUs: cpuUsOf(serverPid) - serverBefore };
}

/** CPU time of a process so far; Linux counts it in hundredths of a second. */
function cpuUsOf(pid: number): number {
  const fields = readFileSync(`/proc/${pid}/stat`, "latin1")
    .replace(/^.*\) /, "")
    .split(" ");
  return (Number(fields[11]) + Number(fields[12])) * 10_000;
}

/** Rows of one table, columns aligned. */
export function table(head: readonly string[], rows: readonly (readonly string[])[]): string {
  const all = [head, ...rows];
  const widths = head.map((_, column) => Math.max(...all.map((row) => row[column]!.length)));
  return all
    .map((row) =>
      row
        .map((cell, i) => (i === 0 ? cell.padEnd(widths[i]!) : cell.padStart(widths[i]!)))
        .join("  ")
        .trimEnd(),
    )
    .join("\n");
}
