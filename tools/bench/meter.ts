import process from "node:process";
import { cpuSeconds } from "./cpu-time.ts";
import type { LoadJob, LoadResult } from "./job.ts";

interface Reading {
  readonly atUs: number;
  readonly reports: number;
  readonly reportsFailed: number;
  readonly serverCpuSeconds: number;
  readonly clientCpuSeconds: number;
}

/** Counts answered reports, and relates them to the time and processor time between two instants. */
export class Meter {
  readonly #serverPid: number;
  #reports = 0;
  #reportsFailed = 0;
  #before: Reading;

  constructor({ serverPid }: LoadJob) {
    this.#serverPid = serverPid;
    this.#before = this.#read();
  }

  /** Reports that were answered as they should, measured or not. */
  get reports(): number {
    return this.#reports;
  }

  count(reports: number, isTaken: boolean): void {
    if (isTaken) this.#reports += reports;
    else this.#reportsFailed += reports;
  }

  /** Begins the measured part: what was counted before is left out. */
  begin(): void {
    this.#before = this.#read();
  }

  /** What came since {@link begin}. */
  end(): LoadResult {
    const before = this.#before;
    const after = this.#read();
    return {
      reports: after.reports - before.reports,
      reportsFailed: after.reportsFailed - before.reportsFailed,
      seconds: (after.atUs - before.atUs) / 1e6,
      serverCpuSeconds: after.serverCpuSeconds - before.serverCpuSeconds,
      clientCpuSeconds: after.clientCpuSeconds - before.clientCpuSeconds,
      startUs: before.atUs,
      endUs: after.atUs,
    };
  }

  #read(): Reading {
    const client = process.cpuUsage();
    return {
      atUs: Number(process.hrtime.bigint() / 1_000n),
      reports: this.#reports,
      reportsFailed: this.#reportsFailed,
      serverCpuSeconds: cpuSeconds(this.#serverPid),
      clientCpuSeconds: (client.user + client.system) / 1e6,
    };
  }
}
