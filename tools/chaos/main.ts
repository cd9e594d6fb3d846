/**
 * `npm run chaos`: real processes killed, paused and cut off.
 *
 *     npm run chaos                         all of it
 *     npm run chaos -- raft --rounds 50     clusters on @mon/raft; --help says what can be chosen
 *     npm run chaos -- level                a broker on its own disk, killed under load
 */

import { onStopSignal, startChild } from "../children.mjs";
import { main, root, SetupError, toolEnvironment } from "../setup.mjs";
import { runRaftChaos } from "./raft/main.ts";

const targets: Readonly<Record<string, readonly string[]>> = { level: ["@mon/broker:chaos"] };

await main(async () => {
  const [name, ...args] = process.argv.slice(2);
  if (name === "raft") return await runRaftChaos(args);
  const chosen = name === undefined ? Object.keys(targets) : [name];
  for (const each of chosen) {
    const code = await runTargets(each);
    if (code !== 0) return code;
  }
  return name === undefined ? await runRaftChaos([]) : 0;
});

async function runTargets(name: string): Promise<number> {
  const names = targets[name];
  if (names === undefined) {
    throw new SetupError(`expected raft or ${Object.keys(targets).join(", ")}, got ${name}`);
  }
  for (const target of names) {
    const { child, exited } = startChild("nx", ["run", target], { cwd: root, env: toolEnvironment() });
    onStopSignal((signal: NodeJS.Signals) => child.kill(signal));
    const code = await exited;
    if (code !== 0) return code;
  }
  return 0;
}
