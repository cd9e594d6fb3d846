import { outputBytesMax } from "./probes.ts";

/** Keeps the last of what a program prints, and counts the rest. Takes no more memory than it keeps, and once that again. */
export class CapturedOutput {
  readonly #bytes = new Uint8Array(outputBytesMax);
  #total = 0;

  /** Adds what was printed; copies it. */
  add(chunk: Uint8Array): void {
    const kept = chunk.subarray(Math.max(0, chunk.length - outputBytesMax));
    let at = (this.#total + chunk.length - kept.length) % outputBytesMax;
    for (const byte of kept) {
      this.#bytes[at] = byte;
      at = at + 1 === outputBytesMax ? 0 : at + 1;
    }
    this.#total += chunk.length;
  }

  /** Bytes that were printed. */
  get total(): number {
    return this.#total;
  }

  /**
   * The last of it as text, of at most {@link outputBytesMax} bytes with the note of how much was left out. A character that was
   * cut through is left out; what is no character, and control characters but line ends and tabs, become `?`.
   */
  text(): string {
    if (this.#total <= outputBytesMax) return cleaned(this.#bytes.subarray(0, this.#total));
    const note = (captured: number): string => `\ncaptured ${captured} of ${this.#total} bytes`;
    // Its length depends on the number in it, which has at most as many digits as the limit.
    const captured = outputBytesMax - note(outputBytesMax).length;
    const start = this.#total % outputBytesMax;
    const last = Buffer.concat([this.#bytes.subarray(start), this.#bytes.subarray(0, start)]);
    return cleaned(last.subarray(outputBytesMax - captured)) + note(captured);
  }
}

function cleaned(bytes: Uint8Array): string {
  let start = 0;
  // A continuation byte at the start belongs to a character that was cut.
  while (start < 3 && start < bytes.length && (bytes[start]! & 0xc0) === 0x80) start++;
  return Buffer.from(bytes.subarray(start))
    .toString()
    .replace(/(?![\n\t])[\p{Cc}\ufffd]/gu, "?");
}
