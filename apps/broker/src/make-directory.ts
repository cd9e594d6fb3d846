import { existsSync, mkdirSync } from "node:fs";
import { dirname } from "node:path";

/** Makes a directory and those above it, one by one: Node's own way of doing so never ends below `/proc`. */
export function makeDirectory(path: string): void {
  if (existsSync(path)) return;
  makeDirectory(dirname(path));
  mkdirSync(path);
}
