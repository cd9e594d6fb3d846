/**
 * Keeps a rate of bytes: in any stretch of time no more than the burst and the rate times its length is let through,
 * besides the piece that overdraws it. Works by debt: whoever takes more than there is waits until it is paid.
 */
export class TokenBucket {
  #bytesPerSecond: number;
  readonly #burstSeconds: number;
  #bytes: number;
  #atMs: number;

  /** @param burstSeconds - how much may be saved up while nothing is taken. Default 1 */
  constructor(bytesPerSecond: number, nowMs: number, burstSeconds = 1) {
    assertRate(bytesPerSecond);
    this.#bytesPerSecond = bytesPerSecond;
    this.#burstSeconds = burstSeconds;
    this.#bytes = bytesPerSecond * burstSeconds;
    this.#atMs = nowMs;
  }

  get bytesPerSecond(): number {
    return this.#bytesPerSecond;
  }

  /** Changes the rate from now on. */
  setRate(bytesPerSecond: number, nowMs: number): void {
    assertRate(bytesPerSecond);
    this.#fill(nowMs);
    this.#bytesPerSecond = bytesPerSecond;
    this.#bytes = Math.min(this.#bytes, bytesPerSecond * this.#burstSeconds);
  }

  /** Takes bytes. @returns milliseconds to wait before they may go */
  take(bytes: number, nowMs: number): number {
    this.#fill(nowMs);
    this.#bytes -= bytes;
    return this.#bytes >= 0 ? 0 : Math.ceil((-this.#bytes / this.#bytesPerSecond) * 1_000);
  }

  #fill(nowMs: number): void {
    const earned = (Math.max(0, nowMs - this.#atMs) / 1_000) * this.#bytesPerSecond;
    this.#bytes = Math.min(this.#bytes + earned, this.#bytesPerSecond * this.#burstSeconds);
    this.#atMs = Math.max(this.#atMs, nowMs);
  }
}

function assertRate(bytesPerSecond: number): void {
  if (bytesPerSecond > 0 && Number.isFinite(bytesPerSecond)) return;
  throw new RangeError(`expected a positive number of bytes a second, got ${bytesPerSecond}`);
}
