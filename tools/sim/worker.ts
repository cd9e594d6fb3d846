/** A thread that simulates seed after seed; see `fleet.ts`. */
import { setImmediate as turn } from "node:timers/promises";
import { parentPort, workerData } from "node:worker_threads";
import { simulate } from "@mon/raft/testing";
import type { FleetTask, SimulatedRun } from "./fleet.ts";

const { first, nodes, seeds, steps, stride } = workerData as FleetTask;
const port = parentPort!;
let stopped = false;
port.once("message", () => {
  stopped = true;
});
// Clients are refused often enough for stack traces to cost a tenth of the time. Whoever repeats a seed gets them.
Error.stackTraceLimit = 0;
for (let seed = first; seed < first + seeds && !stopped; seed += stride) {
  const options = { seed, steps, nodes: nodes[seed % nodes.length]! };
  const { faults: _, profile: __, traceHash: ___, ...result } = await simulate(options);
  port.postMessage({ ...result, nodes: options.nodes } satisfies SimulatedRun);
  // The simulator leaves no room for messages.
  await turn();
}
port.close();
