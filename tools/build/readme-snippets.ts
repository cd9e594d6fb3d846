import { execFile } from "node:child_process";
import { mkdir, mkdtemp, readFile, rm, writeFile } from "node:fs/promises";
import path from "node:path";
import { promisify } from "node:util";

/** A TypeScript snippet of a README. */
export interface ReadmeSnippet {
  /** The line of the README on which it begins, from 1. */
  readonly line: number;
  readonly code: string;
  /** What it prints by the README: the ```` ```text ```` block after it, else what follows each `console.log(…); // `. */
  readonly prints: readonly string[];
}

/** The snippets of a package's README: its ```` ```ts ```` blocks, in order. */
export async function readmeSnippets(packageRoot: string): Promise<ReadmeSnippet[]> {
  const readme = await readFile(path.join(packageRoot, "README.md"), "utf8");
  return [...readme.matchAll(/^```ts\n(.*?)^```\n(?:\s*^```text\n(.*?)^```$)?/gms)].map((block) => {
    const [, code, shown] = block;
    return {
      line: readme.slice(0, block.index).split("\n").length + 1,
      code: code!,
      prints: shown === undefined ? claimsOf(code!) : linesOf(shown),
    };
  });
}

function claimsOf(code: string): string[] {
  return [...code.matchAll(/^.*\bconsole\.log\([\s\S]*?\); \/\/ (.*)$/gm)].map((claim) => claim[1]!);
}

/** Lines without the empty ones at the end. */
function linesOf(text: string): string[] {
  return text === "" ? [] : text.trimEnd().split("\n");
}

/**
 * Runs a snippet as a program of the package, on the packages' sources, and gives the lines that it prints.
 *
 * @throws when it fails, with what it wrote to standard error
 */
export async function runSnippet(packageRoot: string, code: string): Promise<string[]> {
  const flags = [
    "--conditions=@mon/source",
    "--no-warnings",
    "--input-type=module-typescript",
    "--eval",
    code,
  ];
  const { stdout } = await promisify(execFile)(process.execPath, flags, { cwd: packageRoot });
  return linesOf(stdout);
}

/** Type-checks snippets by the package's own compiler options. @returns what the compiler says, empty when all is well */
export async function snippetTypeErrors(
  packageRoot: string,
  snippets: readonly ReadmeSnippet[],
): Promise<string> {
  // Below the package, so that its imports resolve, and where nothing else looks.
  await mkdir(path.join(packageRoot, ".reports"), { recursive: true });
  const folder = await mkdtemp(path.join(packageRoot, ".reports", "readme-"));
  try {
    for (const { line, code } of snippets) await writeFile(path.join(folder, `line-${line}.ts`), code);
    const config = {
      extends: path.join(packageRoot, "tsconfig.json"),
      compilerOptions: { noUnusedLocals: false },
      include: [folder],
    };
    await writeFile(path.join(folder, "tsconfig.json"), JSON.stringify(config));
    const tsc = path.join(import.meta.dirname, "../../node_modules/.bin/tsc");
    await promisify(execFile)(tsc, ["--project", folder], { cwd: packageRoot });
    return "";
  } catch (error) {
    // The compiler writes its findings to standard output; a compiler that did not start has only a message.
    const { stdout, message } = error as { stdout?: string; message: string };
    return stdout || message;
  } finally {
    await rm(folder, { recursive: true });
  }
}
