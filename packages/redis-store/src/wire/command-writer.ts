/** The least room that is made when more is needed. */
const growthBytes = 64 * 1024;

/**
 * Encodes commands in RESP2 into one growing buffer. A command is {@link begin} followed by as many arguments as it said;
 * nothing checks that, since it would cost as much as the encoding.
 *
 * @see https://redis.io/docs/latest/develop/reference/protocol-spec/
 */
export class CommandWriter {
  #bytes: Buffer = Buffer.allocUnsafeSlow(growthBytes);
  #length = 0;
  #commands = 0;

  /** Bytes written since {@link take}. */
  get length(): number {
    return this.#length;
  }

  /** Commands begun since {@link take}: so many replies will come. */
  get commands(): number {
    return this.#commands;
  }

  /** Begins a command of `count` parts, its name among them. */
  begin(count: number): this {
    this.#commands++;
    this.#reserve(16);
    this.#bytes[this.#length++] = 0x2a; // *
    this.#number(count);
    this.#lineEnd();
    return this;
  }

  /** Appends what was encoded before: a whole command's beginning, or an argument with its length. */
  encoded(bytes: Uint8Array): this {
    this.#reserve(bytes.length);
    this.#bytes.set(bytes, this.#length);
    this.#length += bytes.length;
    return this;
  }

  /** An argument of bytes. */
  bytes(argument: Uint8Array): this {
    this.#reserve(argument.length + 20);
    this.#head(argument.length);
    this.#bytes.set(argument, this.#length);
    this.#length += argument.length;
    this.#lineEnd();
    return this;
  }

  /** An argument of text in Latin-1, such as a key made of a host id. */
  text(argument: string): this {
    this.#reserve(argument.length + 20);
    this.#head(argument.length);
    this.#length += this.#bytes.write(argument, this.#length, "latin1");
    this.#lineEnd();
    return this;
  }

  /** An integer argument, in decimal. */
  integer(argument: number): this {
    return this.text(String(argument));
  }

  /** Gives what was written and begins anew. The bytes are the caller's to keep. */
  take(): Uint8Array {
    const taken = Buffer.from(this.#bytes.subarray(0, this.#length));
    this.#length = 0;
    this.#commands = 0;
    return taken;
  }

  #head(length: number): void {
    this.#bytes[this.#length++] = 0x24; // $
    this.#number(length);
    this.#lineEnd();
  }

  #number(value: number): void {
    if (value < 10) {
      this.#bytes[this.#length++] = 0x30 + value;
      return;
    }
    let digits = 1;
    for (let rest = value; rest >= 10; rest = (rest / 10) | 0) digits++;
    this.#length += digits;
    for (let at = this.#length - 1, rest = value; digits > 0; digits--, at--) {
      this.#bytes[at] = 0x30 + (rest % 10);
      rest = (rest / 10) | 0;
    }
  }

  #lineEnd(): void {
    this.#bytes[this.#length++] = 0x0d;
    this.#bytes[this.#length++] = 0x0a;
  }

  #reserve(bytes: number): void {
    const needed = this.#length + bytes;
    if (needed <= this.#bytes.length) return;
    const grown = Buffer.allocUnsafeSlow(Math.max(needed + growthBytes, this.#bytes.length * 2));
    grown.set(this.#bytes.subarray(0, this.#length));
    this.#bytes = grown;
  }
}
