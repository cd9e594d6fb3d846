import { framePrefixBytes } from "./batch-frame.ts";

/** Field tags of `mon.v1.ReportResponse` and of its `Outcome`. */
const sequenceTag = 0x08;
const outcomeTag = 0x12;
const reportsStoredTag = 0x08;
const samplesStoredTag = 0x10;
const durabilityTag = 0x18;
const copiesTag = 0x20;

/**
 * Takes answers out of what arrives on a gRPC stream, however it is cut. The fields hold the answer that {@link next}
 * found, until the next one.
 */
export class AckReader {
  /** 0 in an answer of no bytes. */
  sequence = 0;
  reportsStored = 0;
  samplesStored = 0;
  /** As `mon.v1.Durability` numbers it. */
  durability = 0;
  /** Whether something was rejected or refused. */
  hasFaults = false;

  #bytes: Uint8Array = new Uint8Array(0);
  #position = 0;

  /** Takes over what has arrived; call {@link next} until it finds no more. */
  push(chunk: Uint8Array): void {
    const rest = this.#bytes.subarray(this.#position);
    this.#bytes = rest.length === 0 ? chunk : Buffer.concat([rest, chunk]);
    this.#position = 0;
  }

  /** @returns whether there was a whole answer. @throws {Error} when the bytes are no answer */
  next(): boolean {
    const bytes = this.#bytes;
    const start = this.#position + framePrefixBytes;
    if (start > bytes.length) return false;
    const at = this.#position;
    const length =
      ((bytes[at + 1]! << 24) | (bytes[at + 2]! << 16) | (bytes[at + 3]! << 8) | bytes[at + 4]!) >>> 0;
    if (bytes[at] !== 0) throw new Error(`expected an answer that is not compressed, got flags ${bytes[at]}`);
    if (start + length > bytes.length) return false;
    this.sequence = 0;
    this.reportsStored = 0;
    this.samplesStored = 0;
    this.durability = 0;
    this.hasFaults = false;
    this.#position = start;
    this.#readResponse(start + length);
    return true;
  }

  #readResponse(end: number): void {
    while (this.#position < end) {
      const fieldTag = this.#bytes[this.#position++]!;
      if (fieldTag === sequenceTag) this.sequence = this.#varint(end);
      else if (fieldTag === outcomeTag) this.#readOutcome(end);
      else throw new Error(`expected sequence or outcome, got tag ${fieldTag}`);
    }
  }

  #readOutcome(limit: number): void {
    const length = this.#varint(limit);
    const end = this.#position + length;
    if (end > limit) throw new Error(`expected an outcome of ${length} bytes, got ${limit - this.#position}`);
    while (this.#position < end) {
      switch (this.#bytes[this.#position++]) {
        case reportsStoredTag:
          this.reportsStored = this.#varint(end);
          break;
        case samplesStoredTag:
          this.samplesStored = this.#varint(end);
          break;
        case durabilityTag:
          this.durability = this.#varint(end);
          break;
        case copiesTag:
          this.#varint(end);
          break;
        default:
          // Everything else that an outcome has tells of what was not stored.
          this.hasFaults = true;
          this.#position = end;
      }
    }
  }

  #varint(limit: number): number {
    let value = 0;
    for (let shift = 0; this.#position < limit && shift < 35; shift += 7) {
      const byte = this.#bytes[this.#position++]!;
      value |= (byte & 0x7f) << shift;
      if (byte < 0x80) return value >>> 0;
    }
    throw new Error(`expected a varint before byte ${limit} of ${this.#bytes.length}`);
  }
}
