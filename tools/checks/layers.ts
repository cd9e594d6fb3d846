import path from "node:path";
import type { ModuleImport, SourceFile } from "./source-file.ts";
import type { Workspace } from "./workspace.ts";

/**
 * - `core`: algorithms and contracts; no I/O, clock or randomness, which come in by hand.
 * - `io`: core, the interfaces that host packages declare, and one driver.
 * - `host`: core; its I/O goes through interfaces it declares.
 * - `app`: wires the others; imported by no one.
 */
export type Layer = "core" | "io" | "host" | "app";

const layers: readonly string[] = ["core", "io", "host", "app"] satisfies Layer[];

/** Which layers a layer may import. */
const allowedLayers: Readonly<Record<Layer, readonly Layer[]>> = {
  core: ["core"],
  io: ["core", "host"],
  host: ["core"],
  app: ["core", "io", "host"],
};

/** Third-party packages without I/O, which any layer may use. */
const purePackages: ReadonlySet<string> = new Set(["@bufbuild/protobuf", "re2js", "yaml", "zod"]);

/** What each io package wraps. */
const drivers: Readonly<Record<string, readonly string[]>> = {
  "@mon/client": ["@connectrpc/connect", "@connectrpc/connect-node"],
  "@mon/level-store": ["level"],
  "@mon/raft-connect": ["@connectrpc/connect", "@connectrpc/connect-node"],
  "@mon/raft-level": ["level"],
  "@mon/redis-store": ["ioredis"],
};

/** What core may take from Node: pure functions of their arguments. */
const pureBuiltins: Readonly<Record<string, readonly string[]>> = {
  "node:assert": ["default", "ok", "strict"],
  "node:assert/strict": ["default", "ok"],
  "node:buffer": ["Buffer", "isAscii", "isUtf8"],
  "node:crypto": ["createHash", "createHmac", "hash", "timingSafeEqual"],
  "node:util": ["isDeepStrictEqual", "TextDecoder", "TextEncoder", "toUSVString"],
  "node:zlib": [
    "constants",
    "crc32",
    "deflateRawSync",
    "deflateSync",
    "gunzipSync",
    "gzipSync",
    "inflateRawSync",
    "inflateSync",
    "zstdCompressSync",
    "zstdDecompressSync",
  ],
};

/** An edge of the project graph, from the one that depends. */
export interface Edge {
  readonly source: string;
  readonly target: string;
}

/** @returns the workspace's layer, or undefined when its tags name none, or several */
export function layerOf({ manifest }: Workspace): Layer | undefined {
  const named = (manifest.nx?.tags ?? [])
    .filter((tag) => tag.startsWith("layer:"))
    .map((tag) => tag.slice(6));
  const [layer] = named;
  // Checked against the list of layers, so the cast holds.
  return named.length === 1 && layer !== undefined && layers.includes(layer) ? (layer as Layer) : undefined;
}

/**
 * Checks what every file imports, and what core touches without importing it.
 *
 * @param rootDevDependencies - packages that any test or configuration may import
 * @returns one line for each violation, empty when all is well
 */
export function importViolations(
  workspaces: readonly Workspace[],
  rootDevDependencies: ReadonlySet<string>,
): string[] {
  const byName = new Map(workspaces.map((workspace) => [workspace.manifest.name, workspace]));
  return workspaces.flatMap((workspace) => {
    const layer = layerOf(workspace);
    if (layer === undefined) return [`${workspace.folder}: expected one tag layer:${layers.join("|")}`];
    const { manifest } = workspace;
    const shipped = declaredBy(
      manifest.dependencies,
      manifest.peerDependencies,
      manifest.optionalDependencies,
    );
    const inTests = new Set([
      ...shipped,
      ...declaredBy(manifest.devDependencies),
      ...rootDevDependencies,
      manifest.name,
    ]);
    return [
      ...workspace.sources.flatMap((file) => [
        ...file.imports.flatMap((wanted) => [
          ...placeViolations(workspace, file, wanted),
          ...declarationViolations(shipped, file, wanted),
          ...layerViolations(layer, workspace, byName, file, wanted),
        ]),
        ...(layer === "core" || layer === "host"
          ? file.ambient.map((use) => `${file.path}: ${layer} uses ${use}, which must come in by hand`)
          : []),
      ]),
      ...workspace.others.flatMap((file) =>
        file.imports.flatMap((wanted) => [
          ...placeViolations(workspace, file, wanted),
          ...declarationViolations(inTests, file, wanted),
        ]),
      ),
    ];
  });
}

/**
 * Checks the project graph that nx works by: its edges against the layers, and that it has every edge that the
 * sources have, because an nx that sees no edges would call too little affected.
 */
export function edgeViolations(workspaces: readonly Workspace[], edges: readonly Edge[]): string[] {
  const byName = new Map(workspaces.map((workspace) => [workspace.manifest.name, workspace]));
  const known = new Set(edges.map(({ source, target }) => `${source} → ${target}`));
  const forbidden = edges.flatMap(({ source, target }) => {
    const from = byName.get(source);
    const to = byName.get(target);
    if (from === undefined || to === undefined) return [];
    // An app's tests may start another app; nx must know, to run them when it changes.
    const isTestOnly = layerOf(from) === "app" && from.manifest.devDependencies?.[target] !== undefined;
    return isAllowed(layerOf(from), layerOf(to)) || isTestOnly
      ? []
      : [`${source} → ${target}: ${reason(from, to)}`];
  });
  const missing = workspaces.flatMap(({ manifest, sources }) => {
    const siblings = new Set(
      sources.flatMap((file) => file.imports.map(({ specifier }) => packageOf(specifier))),
    );
    siblings.delete(manifest.name);
    return [...siblings]
      .filter((name) => byName.has(name) && !known.has(`${manifest.name} → ${name}`))
      .map((name) => `${manifest.name} → ${name}: imported, but not an edge of nx's graph`);
  });
  return [...forbidden, ...missing];
}

function layerViolations(
  layer: Layer,
  workspace: Workspace,
  byName: ReadonlyMap<string, Workspace>,
  file: SourceFile,
  { specifier, names }: ModuleImport,
): string[] {
  if (specifier.startsWith(".") || layer === "app") {
    const app = byName.get(packageOf(specifier));
    const isApp = app !== undefined && layerOf(app) === "app";
    return isApp ? [`${file.path}: imports ${specifier}: ${reason(workspace, app)}`] : [];
  }
  const name = packageOf(specifier);
  const sibling = byName.get(name);
  if (sibling !== undefined) {
    const isFine = sibling === workspace || isAllowed(layer, layerOf(sibling));
    return isFine ? [] : [`${file.path}: imports ${specifier}: ${reason(workspace, sibling)}`];
  }
  if (specifier.startsWith("node:")) {
    if (layer === "io") return [];
    const pure = pureBuiltins[specifier] ?? [];
    return names
      .filter((imported) => !pure.includes(imported))
      .map(
        (imported) =>
          `${file.path}: ${layer} imports ${imported} from ${specifier}, which is not on the list of pure functions`,
      );
  }
  if (purePackages.has(name) || isConformanceSuite(workspace, file, name)) return [];
  if (layer === "io" && drivers[workspace.manifest.name]?.includes(name)) return [];
  const may = layer === "io" ? "core, host, pure packages and its one driver" : "core and pure packages";
  return [`${file.path}: imports ${specifier}: ${layer} may import ${may}`];
}

/** A suite that is exported for others to run comes with its test runner, which is an optional peer. */
function isConformanceSuite({ folder, manifest }: Workspace, file: SourceFile, name: string): boolean {
  const place = path.posix.relative(`${folder}/src`, file.path);
  return (
    name === "vitest" &&
    /^(conformance|testing)\b/.test(place) &&
    manifest.peerDependencies?.vitest !== undefined
  );
}

/** A file reaches others of its workspace by path, and everything else by name. */
function placeViolations({ folder }: Workspace, file: SourceFile, { specifier }: ModuleImport): string[] {
  if (specifier === "(computed)")
    return file.path.startsWith(`${folder}/src/`) ? [`${file.path}: imports a computed name`] : [];
  if (!specifier.startsWith(".")) return [];
  const target = path.posix.join(path.posix.dirname(file.path), specifier);
  const isSource = file.path.startsWith(`${folder}/src/`);
  const home = isSource ? `${folder}/src/` : `${folder}/`;
  const isTool = !isSource && /^tools\/(build|redis)\//.test(target);
  const isManifest = target === `${folder}/package.json`;
  return target.startsWith(home) || isTool || isManifest
    ? []
    : [`${file.path}: imports ${specifier} by path; packages are imported by name`];
}

function declarationViolations(
  declared: ReadonlySet<string>,
  file: SourceFile,
  { specifier }: ModuleImport,
): string[] {
  if (/^[./#(]|^node:|^virtual:/.test(specifier)) return [];
  const name = packageOf(specifier);
  return declared.has(name) ? [] : [`${file.path}: imports ${name}, which its package.json does not declare`];
}

function isAllowed(from: Layer | undefined, to: Layer | undefined): boolean {
  return from !== undefined && to !== undefined && allowedLayers[from].includes(to);
}

function reason(from: Workspace, to: Workspace): string {
  return `${layerOf(from)} may not import ${layerOf(to)}`;
}

function declaredBy(...groups: readonly (Readonly<Record<string, string>> | undefined)[]): Set<string> {
  return new Set(groups.flatMap((group) => Object.keys(group ?? {})));
}

function packageOf(specifier: string): string {
  const parts = specifier.split("/");
  return specifier.startsWith("@") ? parts.slice(0, 2).join("/") : (parts[0] ?? specifier);
}
