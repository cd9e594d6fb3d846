import fs from "node:fs";
import path from "node:path";
import { parseSource, type SourceFile } from "./source-file.ts";

/** The fields of a package.json that the checks look at. */
export interface Manifest {
  readonly name: string;
  readonly version: string;
  readonly private?: boolean;
  readonly license?: string;
  readonly type?: string;
  readonly sideEffects?: boolean;
  readonly engines?: Readonly<Record<string, string>>;
  readonly repository?: { readonly directory?: string };
  readonly files?: readonly string[];
  readonly exports?: Readonly<Record<string, Readonly<Record<string, string>>>>;
  readonly scripts?: Readonly<Record<string, string>>;
  readonly dependencies?: Readonly<Record<string, string>>;
  readonly peerDependencies?: Readonly<Record<string, string>>;
  readonly optionalDependencies?: Readonly<Record<string, string>>;
  readonly devDependencies?: Readonly<Record<string, string>>;
  readonly nx?: { readonly tags?: readonly string[] };
}

/** One package or app of the repository. */
export interface Workspace {
  /** Path from the repository's folder, with `/`. */
  readonly folder: string;
  readonly manifest: Manifest;
  /** What ships: the files below `src`. */
  readonly sources: readonly SourceFile[];
  /** What does not: tests, benchmarks, configuration. */
  readonly others: readonly SourceFile[];
}

const skipped: ReadonlySet<string> = new Set(["node_modules", "dist", ".reports", "fixtures", "gen"]);

/** Reads every package and app below `root`. */
export function readWorkspaces(root: string): Workspace[] {
  return ["packages", "apps"]
    .flatMap((parent) => fs.readdirSync(path.join(root, parent)).map((name) => `${parent}/${name}`))
    .filter((folder) => fs.existsSync(path.join(root, folder, "package.json")))
    .map((folder) => {
      const files = typescriptFiles(root, folder).map((file) =>
        parseSource(file, fs.readFileSync(path.join(root, file), "utf8")),
      );
      const isSource = (file: SourceFile): boolean => file.path.startsWith(`${folder}/src/`);
      return {
        folder,
        manifest: readManifest(path.join(root, folder)),
        sources: files.filter(isSource),
        others: files.filter((file) => !isSource(file)),
      };
    });
}

export function readManifest(folder: string): Manifest {
  return JSON.parse(fs.readFileSync(path.join(folder, "package.json"), "utf8"));
}

function typescriptFiles(root: string, folder: string): string[] {
  return fs.readdirSync(path.join(root, folder), { withFileTypes: true }).flatMap((entry) => {
    if (skipped.has(entry.name)) return [];
    const file = `${folder}/${entry.name}`;
    if (entry.isDirectory()) return typescriptFiles(root, file);
    return /\.[cm]?[jt]sx?$/.test(entry.name) ? [file] : [];
  });
}
