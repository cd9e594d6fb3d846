import { readdirSync, readFileSync } from "node:fs";
import { join } from "node:path";

/**
 * Linux's `/proc` and `/sys`. Reads are synchronous: the kernel writes these files from memory on demand, and a trip
 * through the thread pool costs more than the read.
 */
export class ProcFs {
  readonly #root: string;

  /** @param root - where `proc` and `sys` are; "/" but in tests and containers */
  constructor(root = "/") {
    this.#root = root;
  }

  /** The text of a file, for example `proc/stat`. */
  read(path: string): string {
    return readFileSync(join(this.#root, path), "latin1");
  }

  /** The text of a file, or undefined when it cannot be read: a process that ended, a kernel without the feature. */
  tryRead(path: string): string | undefined {
    try {
      return this.read(path);
    } catch {
      return undefined;
    }
  }

  /** The names in a directory. */
  list(path: string): string[] {
    return readdirSync(join(this.#root, path));
  }
}

/** The lines of a file that are not empty. */
export function linesOf(text: string): string[] {
  return text.split("\n").filter((line) => line !== "");
}

/** The fields of a line, split at white space. */
export function fieldsOf(line: string): string[] {
  return line.trim().split(/\s+/);
}

/**
 * The number in a field.
 *
 * @throws {Error} that says what was expected, when it is none
 */
export function numberIn(fields: readonly string[], index: number, what: string): number {
  const value = Number(fields[index] ?? Number.NaN);
  if (Number.isNaN(value)) throw new Error(`expected a number for ${what}, got ${String(fields[index])}`);
  return value;
}
