import fs from "node:fs";
import type { Fault, SimulationProfile } from "@mon/raft/testing";

/** A run that failed once; the tests of the package repeat it for ever. */
export interface Regression {
  readonly seed: number;
  readonly steps: number;
  readonly nodes: number;
  readonly invariant: string;
  /** What the run was like, and the faults it needs: what a seed draws is not the same for ever. */
  readonly profile?: SimulationProfile;
  readonly faults?: readonly Fault[];
}

/** Adds a run to the list, once; the file need not exist. */
export function keepRegression(file: string, run: Regression): void {
  const kept = fs.existsSync(file) ? (JSON.parse(fs.readFileSync(file, "utf8")) as Regression[]) : [];
  const same = ({ nodes, seed, steps }: Regression): boolean =>
    seed === run.seed && steps === run.steps && nodes === run.nodes;
  if (!kept.some(same)) {
    fs.writeFileSync(file, `${JSON.stringify([...kept, run], undefined, 2)}\n`);
  }
}
