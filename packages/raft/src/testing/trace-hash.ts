/** A fingerprint of everything that happened in a run, in order. Two runs of one seed have the same. */
export class TraceHash {
  #low = 0x811c9dc5;
  #high = 0x9e3779b9;

  /** Adds a number. */
  add(value: number): void {
    const bits = value | 0;
    const rest = ((value - bits) * 1048576) | 0;
    this.#low = Math.imul(this.#low ^ bits, 0x01000193);
    this.#high = Math.imul(this.#high ^ (bits + rest), 0x85ebca6b) ^ (this.#low >>> 13);
  }

  /** Adds a text. */
  addText(text: string): void {
    for (let at = 0; at < text.length; at++) {
      this.#low = Math.imul(this.#low ^ text.charCodeAt(at), 0x01000193);
    }
    this.#high = Math.imul(this.#high ^ this.#low, 0xc2b2ae35);
  }

  /** Adds bytes. */
  addBytes(bytes: Uint8Array): void {
    for (const byte of bytes) {
      this.#low = Math.imul(this.#low ^ byte, 0x01000193);
    }
    this.#high = Math.imul(this.#high ^ this.#low, 0xc2b2ae35);
  }

  /** 16 hexadecimal digits. */
  get text(): string {
    return hex(this.#high) + hex(this.#low);
  }
}

function hex(value: number): string {
  return (value >>> 0).toString(16).padStart(8, "0");
}
