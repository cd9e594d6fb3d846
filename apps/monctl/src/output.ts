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

/** How often progress is shown, in milliseconds: in place on a terminal, by a line elsewhere. */
const paintIntervalMs = 100;
const lineIntervalMs = 10_000;

const clearLine = "\r\u001b[K";

/** Where a command writes: data to standard output, messages for people to standard error. */
export class Output {
  readonly #stdout: Writable;
  readonly #stderr: Writable & { isTTY?: boolean };
  /** When progress was shown last; not yet when undefined. */
  #progressAtMs: number | undefined;
  #isPainted = false;

  constructor(stdout: Writable, stderr: Writable & { isTTY?: boolean }) {
    this.#stdout = stdout;
    this.#stderr = stderr;
  }

  /** Writes data; resolves when more may come, so that a slow reader slows the command and nothing piles up. */
  async write(text: string): Promise<void> {
    if (!this.#stdout.write(text)) await once(this.#stdout, "drain");
  }

  /** Writes a message for people, one line. */
  note(message: string): void {
    this.#clearPainted();
    this.#stderr.write(`monctl: ${message}\n`);
  }

  /** Says how far a command is: in place on a terminal, elsewhere by a line every ten seconds. */
  progress(message: string, nowMs: number): void {
    const isTerminal = this.#stderr.isTTY ?? false;
    this.#progressAtMs ??= isTerminal ? Number.NEGATIVE_INFINITY : nowMs;
    if (nowMs - this.#progressAtMs < (isTerminal ? paintIntervalMs : lineIntervalMs)) return;
    this.#progressAtMs = nowMs;
    if (!isTerminal) {
      this.note(message);
      return;
    }
    this.#stderr.write(`${clearLine}${message}`);
    this.#isPainted = true;
  }

  /** Takes away progress that stands on a terminal. */
  endProgress(): void {
    this.#clearPainted();
    this.#progressAtMs = undefined;
  }

  /** Writes a line of the trace of requests. */
  trace(line: string): void {
    this.#clearPainted();
    this.#stderr.write(`${line}\n`);
  }

  #clearPainted(): void {
    if (this.#isPainted) this.#stderr.write(clearLine);
    this.#isPainted = false;
  }
}
