import type { SampleInput } from "@mon/client";
import type { Collector } from "../collector.ts";
import { fieldsOf, linesOf, numberIn, type ProcFs } from "../proc-fs.ts";
import { counter, gauge } from "../sample.ts";

/** Beyond this many processes their number comes without states: each state is a file to read. */
const statesMax = 1_000;

/** OpenTelemetry's values of `process.state`. */
const states = ["running", "sleeping", "stopped", "defunct"] as const;

type ProcessState = (typeof states)[number];

/** Letters of `/proc/<pid>/stat`, see proc_pid_stat(5). Any other, such as idle kernel threads, is asleep. */
const stateOfLetter: Readonly<Record<string, ProcessState>> = {
  R: "running",
  T: "stopped",
  t: "stopped",
  Z: "defunct",
  X: "defunct",
  x: "defunct",
};

/** The state in `/proc/<pid>/stat`. The name before it may hold anything, closing brackets too. */
function parseProcessState(text: string): ProcessState {
  const letter = text[text.lastIndexOf(")") + 2] ?? "";
  return stateOfLetter[letter] ?? "sleeping";
}

/** Processes created since the machine started, from `/proc/stat`. */
function parseProcessesCreated(text: string): number {
  const line = linesOf(text).find((line) => line.startsWith("processes "));
  return numberIn(fieldsOf(line ?? ""), 1, "/proc/stat processes");
}

/** Processes by state, and processes created. The library runs `ps`. */
export class ProcessCollector implements Collector {
  readonly name = "process";
  readonly #proc: ProcFs;

  constructor(proc: ProcFs) {
    this.#proc = proc;
  }

  collect(): SampleInput[] {
    const pids = this.#proc.list("proc").filter((name) => /^\d+$/.test(name));
    const created = parseProcessesCreated(this.#proc.read("proc/stat"));
    return [
      ...(pids.length > statesMax ? [gauge("system_process_count", pids.length)] : this.#countByState(pids)),
      counter("system_process_created_total", created),
    ];
  }

  #countByState(pids: readonly string[]): SampleInput[] {
    const counts: Record<ProcessState, number> = { running: 0, sleeping: 0, stopped: 0, defunct: 0 };
    for (const pid of pids) {
      const text = this.#proc.tryRead(`proc/${pid}/stat`);
      if (text !== undefined) counts[parseProcessState(text)] += 1;
    }
    return states.map((state) => gauge("system_process_count", counts[state], { process_state: state }));
  }
}
