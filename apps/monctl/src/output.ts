import { once } from "node:events";
import type { Writable } from "node:stream";
import { styleText } from "node:util";

/** Parts of a text that are set apart where colours are on. */
export type Style = (kind: "good" | "bad" | "dim" | "strong", text: string) => string;

/** Sets text apart with ANSI colours, or leaves it as it is. */
export function createStyle(color: boolean): Style {
  if (!color) return (_kind, text) => text;
  const formats = { good: "green", bad: "red", dim: "dim", strong: "bold" } as const;
  return (kind, text) => styleText(formats[kind], text, { validateStream: false });
}

/** Where a command writes: data to standard output, messages for people to standard error. */
export class Output {
  readonly #stdout: Writable;
  readonly #stderr: Writable;

  constructor(stdout: Writable, stderr: Writable) {
    this.#stdout = stdout;
    this.#stderr = stderr;
  }

  /** Writes data; resolves when more may come, so that a slow reader slows the command and nothing piles up. */
  async write(text: string): Promise<void> {
    if (!this.#stdout.write(text)) await once(this.#stdout, "drain");
  }

  /** Writes a message for people, one line. */
  note(message: string): void {
    this.#stderr.write(`monctl: ${message}\n`);
  }

  /** Writes a line of the trace of requests. */
  trace(line: string): void {
    this.#stderr.write(`${line}\n`);
  }
}
