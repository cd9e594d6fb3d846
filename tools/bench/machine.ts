import { execFileSync } from "node:child_process";
import fs from "node:fs";
import os from "node:os";
import path from "node:path";
import process from "node:process";
import { root } from "../setup.mjs";

/** What a figure is worth nothing without. */
export interface Machine {
  readonly processor: string;
  readonly cores: number;
  readonly memoryBytes: number;
  readonly system: string;
  readonly node: string;
  /** Of the folder for temporary files, where the broker's data is. */
  readonly fileSystem: string;
  /** Names and versions of what the broker is compared with. */
  readonly libraries: readonly string[];
  readonly date: string;
  /** Abbreviated; with `+` when files differ from it. */
  readonly commit: string;
  /** Processes that ran or wanted to, over the minute before. */
  readonly load: number;
}

/** By the magic number that statfs(2) gives. */
const fileSystems: Readonly<Record<number, string>> = {
  61267: "ext4",
  16914836: "tmpfs",
  1481003842: "xfs",
  2035054128: "overlayfs",
  2435016766: "btrfs",
};

const libraries = ["@connectrpc/connect-node", "@bufbuild/protobuf", "@grpc/grpc-js"];

/** @param others - names and versions of programs that take part, besides the libraries */
export function describeMachine(others: readonly string[] = []): Machine {
  const cpus = os.cpus();
  const type = fs.statfsSync(os.tmpdir()).type;
  return {
    processor: cpus[0]?.model.trim() ?? "unknown processor",
    cores: os.availableParallelism(),
    memoryBytes: os.totalmem(),
    system: `${os.type()} ${os.release()}`,
    node: process.version,
    fileSystem: fileSystems[type] ?? `file system ${type.toString(16)}`,
    libraries: [...libraries.map((name) => `${name} ${versionOf(name)}`), ...others],
    date: new Date().toISOString().slice(0, 10),
    commit: commit(),
    load: os.loadavg()[0] ?? 0,
  };
}

function versionOf(name: string): string {
  const { version } = JSON.parse(
    fs.readFileSync(path.join(root, "node_modules", name, "package.json"), "utf8"),
  );
  return version;
}

function commit(): string {
  try {
    const git = (...args: string[]): string =>
      execFileSync("git", args, { cwd: root, encoding: "utf8" }).trim();
    const isChanged = git("status", "--porcelain") !== "";
    return git("rev-parse", "--short", "HEAD") + (isChanged ? "+" : "");
  } catch {
    return "unknown"; // A tarball has no history.
  }
}
