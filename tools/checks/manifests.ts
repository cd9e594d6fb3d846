import type { Manifest, Workspace } from "./workspace.ts";

const scripts = ["build", "test", "typecheck", "lint"];

/**
 * Checks that the manifests say the same things in the same way.
 *
 * @returns one line for each violation, empty when all is well
 */
export function manifestViolations(workspaces: readonly Workspace[]): string[] {
  const versions = new Map(workspaces.map(({ manifest }) => [manifest.name, manifest.version]));
  const seen = new Map<string, string>();
  return workspaces.flatMap(({ folder, manifest }) => {
    const complain = (what: string): string => `${folder}/package.json: ${what}`;
    const common = [
      manifest.name === `@mon/${folder.split("/").at(-1)}`
        ? []
        : [`expected name @mon/${folder.split("/").at(-1)}`],
      manifest.type === "module" ? [] : ['expected "type": "module"'],
      manifest.license === "Apache-2.0" ? [] : ["expected license Apache-2.0"],
      scripts
        .filter((name) => manifest.scripts?.[name] === undefined)
        .map((name) => `expected a script ${name}`),
      dependencyViolations(manifest, versions, seen),
    ].flat();
    const own = folder.startsWith("packages/")
      ? packageViolations(folder, manifest)
      : appViolations(manifest);
    return [...common, ...own].map(complain);
  });
}

function dependencyViolations(
  manifest: Manifest,
  versions: ReadonlyMap<string, string>,
  seen: Map<string, string>,
): string[] {
  const groups = [manifest.dependencies, manifest.optionalDependencies, manifest.devDependencies];
  return groups.flatMap((group) =>
    Object.entries(group ?? {}).flatMap(([name, version]) => {
      const sibling = versions.get(name);
      if (sibling !== undefined)
        return version === sibling ? [] : [`expected ${name} ${sibling}, got ${version}`];
      if (!/^\d+\.\d+\.\d+(-.+)?$/.test(version))
        return [`expected an exact version of ${name}, got ${version}`];
      const other = seen.get(name) ?? version;
      seen.set(name, other);
      return other === version ? [] : [`has ${name} ${version} where another has ${other}`];
    }),
  );
}

function packageViolations(folder: string, manifest: Manifest): string[] {
  return [
    manifest.private === true ? ["a package is published: expected no private"] : [],
    manifest.sideEffects === false ? [] : ['expected "sideEffects": false'],
    manifest.engines?.node === ">=22.15" ? [] : ["expected engines.node >=22.15"],
    manifest.repository?.directory === folder ? [] : [`expected repository.directory ${folder}`],
    ["dist", "src"]
      .filter((name) => !manifest.files?.includes(name))
      .map((name) => `expected ${name} in files`),
    manifest.scripts?.check === undefined ? ["expected a script check"] : [],
    Object.entries(manifest.exports ?? {}).flatMap(([subpath, target]) => exportViolations(subpath, target)),
    manifest.exports?.["."] === undefined ? ['expected an export "."'] : [],
  ].flat();
}

/** The order matters: the first condition that holds is taken. */
function exportViolations(subpath: string, target: Readonly<Record<string, string>>): string[] {
  const stem = subpath === "." ? "index" : subpath.slice(2);
  const wanted = {
    "@mon/source": `./src/${stem}.ts`,
    types: `./dist/${stem}.d.ts`,
    default: `./dist/${stem}.js`,
  };
  const isAsWanted = JSON.stringify(target) === JSON.stringify(wanted);
  return isAsWanted ? [] : [`expected exports["${subpath}"] to be ${JSON.stringify(wanted)}`];
}

function appViolations(manifest: Manifest): string[] {
  return manifest.private === true ? [] : ["an app is not published: expected private"];
}
