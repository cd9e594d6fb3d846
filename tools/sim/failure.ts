import { minimise, type SimulationOptions, type SimulationResult } from "@mon/raft/testing";
import { keepRegression } from "./regressions.ts";

/**
 * Tells of a run that broke an invariant, reduces it to the faults it needs, and keeps it.
 *
 * @param regressions - the file with those that are kept
 */
export async function reportFailure(
  options: SimulationOptions & { readonly steps: number; readonly nodes: number },
  result: SimulationResult,
  regressions: string,
  print: (line: string) => void,
): Promise<void> {
  const { nodes, seed, steps } = options;
  const { invariant, message } = result.violation!;
  print(`\nseed ${seed}: ${invariant}\n  ${message}`);
  print(`  after ${result.steps} steps; repeat with --seed ${seed} --steps ${steps} --nodes ${nodes}`);
  const least = await minimise(options, result);
  const { faults } = least.options;
  print(`  needs ${faults?.length ?? result.faults.length} faults:`);
  for (const fault of faults ?? result.faults) print(`    ${JSON.stringify(fault)}`);
  keepRegression(regressions, {
    seed,
    steps,
    nodes,
    invariant,
    profile: result.profile,
    faults: faults ?? result.faults,
  });
}
