/**
 * `npm run redis -- standalone|sentinel|cluster`: a local Redis of real processes until Ctrl-C; nothing is kept.
 */
import { parseArgs } from "node:util";
import { onStopSignal } from "../children.mjs";
import { ensureSystemPackages, main, SetupError } from "../setup.mjs";
import { type DeploymentKind, deploymentKinds, startDeployment } from "./deployment.ts";

const help = `Starts a local Redis and removes it when it is stopped.

  npm run redis -- standalone   one server
  npm run redis -- sentinel     a primary, two replicas, three sentinels
  npm run redis -- cluster      three primaries with a replica each

  --aof       append-only file, synced once a second (default: nothing is persisted)
  --json      where it listens, as JSON
  --help
`;

await main(async () => {
  const { values, positionals } = parseArgs({
    allowPositionals: true,
    options: { aof: { type: "boolean" }, json: { type: "boolean" }, help: { type: "boolean" } },
  });
  if (values.help) {
    process.stdout.write(help);
    return 0;
  }
  const kind = deploymentKinds.find((name) => name === positionals[0]);
  if (kind === undefined || positionals.length !== 1)
    throw new SetupError(
      `expected one of ${deploymentKinds.join(", ")}, got ${positionals.join(" ") || "nothing"}`,
    );
  await ensureSystemPackages(["redis"]);
  return await run(kind, values.aof === true, values.json === true);
});

async function run(kind: DeploymentKind, hasAof: boolean, asJson: boolean): Promise<number> {
  const stopped = new Promise<void>((resolve) => onStopSignal(() => resolve()));
  const directives = hasAof ? { appendonly: "yes", appendfsync: "everysec" } : {};
  await using deployment = await startDeployment(kind, { directives });
  const { addresses, masterName } = deployment;
  if (asJson) console.log(JSON.stringify({ kind, addresses, masterName }));
  else {
    const name = masterName === undefined ? "" : `, master name ${masterName}`;
    console.log(`${kind}: ${addresses.join(", ")}${name}. Ctrl-C ends it.`);
  }
  await stopped;
  return 0;
}
