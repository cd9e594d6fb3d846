import fs from "node:fs";

/** Runs of one command, on one commit. */
export interface LedgerRun {
  /** With a plus when the sources differed from it. */
  readonly commit: string;
  readonly date: string;
  readonly firstSeed: number;
  readonly stepsPerSeed: number;
  /** Machines, or those of one run after another. */
  readonly nodes: number | string;
  readonly seeds: number;
  readonly steps: number;
  readonly violations: number;
}

/** All that was ever simulated and written down. */
export interface Ledger {
  readonly total: { readonly seeds: number; readonly steps: number; readonly violations: number };
  readonly runs: readonly LedgerRun[];
}

/** Adds a run to a ledger; the file need not exist. */
export function appendRun(file: string, run: LedgerRun): void {
  const before = fs.existsSync(file) ? (JSON.parse(fs.readFileSync(file, "utf8")) as Ledger) : undefined;
  const runs = [...(before?.runs ?? []), run];
  const sum = (name: "seeds" | "steps" | "violations"): number =>
    runs.reduce((all, each) => all + each[name], 0);
  const total = { seeds: sum("seeds"), steps: sum("steps"), violations: sum("violations") };
  fs.writeFileSync(file, `${JSON.stringify({ total, runs } satisfies Ledger, undefined, 2)}\n`);
}
