/**
 * Sets up what is missing, then runs one command of the repository on the repository's Node:
 *
 *     node tools/run.mjs monctl status        an app, from its sources
 *     node tools/run.mjs tools/pack.ts        a script
 *     node tools/run.mjs nx run-many -t build a tool out of node_modules/.bin
 */
import path from "node:path";
import { onStopSignal, startApp, startChild } from "./children.mjs";
import { ensureDependencies, main, resolveNode, root, SetupError, toolEnvironment } from "./setup.mjs";

const apps = ["broker", "agent", "monctl"];

await main(async () => {
  const [command, ...args] = process.argv.slice(2);
  if (command === undefined)
    throw new SetupError("expected a command: broker, agent, monctl, a script or a tool");
  await ensureDependencies();
  const { child, exited } = start(command, args);
  onStopSignal((signal) => child.kill(signal));
  return await exited;
});

function start(command, args) {
  // npm changes into the package's folder; a path given on the command line is relative to where the user stood.
  if (apps.includes(command)) return startApp(command, args, { cwd: process.env.INIT_CWD ?? process.cwd() });
  const env = toolEnvironment();
  if (command.endsWith(".ts")) {
    return startChild(resolveNode(), ["--conditions=@mon/source", path.join(root, command), ...args], {
      env,
    });
  }
  return startChild(command, args, { env });
}
