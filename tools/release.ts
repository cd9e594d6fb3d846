/**
 * Releases what changed since each package's last tag: versions from conventional commits, changelogs, tags, npm.
 *
 *     npm run release                         shows what would happen, changes nothing
 *     npm run release -- --publish            does it; meant for the release workflow, which can prove provenance
 *     npm run release -- --first-release      takes the versions and changelogs that are there already
 *
 * Apps get versions, changelogs and tags as well; being private, they are not published.
 */
import { execFileSync } from "node:child_process";
import path from "node:path";
import { parseArgs } from "node:util";
import { releaseChangelog, releasePublish, releaseVersion } from "nx/release/index.js";
import { readWorkspaces } from "./checks/workspace.ts";
import { root } from "./setup.mjs";

const { values } = parseArgs({
  options: {
    publish: { type: "boolean", default: false },
    "first-release": { type: "boolean", default: false },
  },
});
process.chdir(root);

const dryRun = !values.publish;
if (dryRun) console.log("dry run: nothing is written, tagged or published (--publish does)\n");

const nx = path.join(root, "node_modules", ".bin", "nx");
execFileSync(nx, ["run-many", "-t", "build,check", "--parallel=2"], { stdio: "inherit" });

if (values["first-release"]) {
  const tags = readWorkspaces(root).map(({ manifest }) => `${manifest.name}@${manifest.version}`);
  for (const tag of tags) {
    if (dryRun) console.log(`would tag ${tag}`);
    else execFileSync("git", ["tag", "--annotate", tag, "--message", tag]);
  }
  await publish();
} else {
  const { projectsVersionData, releaseGraph } = await releaseVersion({
    dryRun,
    gitCommit: false,
    stageChanges: true,
  });
  if (Object.values(projectsVersionData).every(({ newVersion }) => newVersion === null)) {
    console.log("nothing to release");
  } else {
    await releaseChangelog({ dryRun, versionData: projectsVersionData, releaseGraph });
    await publish({ versionData: projectsVersionData, releaseGraph });
  }
}

async function publish(released: Partial<Parameters<typeof releasePublish>[0]> = {}): Promise<void> {
  const results = await releasePublish({ dryRun, firstRelease: values["first-release"], ...released });
  if (Object.values(results).some(({ code }) => code !== 0)) process.exitCode = 1;
}
