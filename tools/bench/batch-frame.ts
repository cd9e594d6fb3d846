import { hostDigits, type ReportTemplate, valueRows } from "./corpus.ts";
import type { HostCycle } from "./host-cycle.ts";
import type { Batch } from "./lane.ts";

/** Bytes before each gRPC message: whether it is compressed, and its length. */
export const framePrefixBytes = 5;

/** Field tags of `mon.v1.ReportRequest`. */
const sequenceTag = 0x08;
const reportsTag = 0x12;

/**
 * A gRPC frame with one `mon.v1.ReportRequest`, encoded once. Before each sending {@link renew} exchanges hosts, times
 * and values in place, which costs a small part of what encoding does and the same whatever server it goes to.
 */
export class BatchFrame implements Batch {
  /** What to send. */
  readonly bytes: Buffer;
  readonly sequence: number;
  readonly reports: number;

  readonly #template: ReportTemplate;
  readonly #view: DataView;
  readonly #firstReport: number;
  readonly #stride: number;
  #row: number;

  /** @param sequence - kept for good, so it must be the only one on its stream */
  constructor(template: ReportTemplate, reports: number, sequence: number) {
    const length = varint(template.bytes.length);
    const field = Buffer.concat([Uint8Array.of(reportsTag), length, template.bytes]);
    const head = Uint8Array.of(sequenceTag, ...varint(sequence));
    const prefix = Buffer.alloc(framePrefixBytes);
    prefix.writeUInt32BE(head.length + reports * field.length, 1);
    this.bytes = Buffer.concat([prefix, head, ...Array<Buffer>(reports).fill(field)]);
    this.sequence = sequence;
    this.reports = reports;
    this.#template = template;
    this.#view = new DataView(this.bytes.buffer, this.bytes.byteOffset, this.bytes.length);
    this.#firstReport = prefix.length + head.length + 1 + length.length;
    this.#stride = field.length;
    this.#row = (sequence * 97) % valueRows;
  }

  /** O(samples), no allocation. */
  renew(cycle: HostCycle): void {
    const { hostOffset, timestampOffset, valueOffsets, values } = this.#template;
    const view = this.#view;
    const samples = valueOffsets.length;
    let start = this.#firstReport;
    for (let report = 0; report < this.reports; report++, start += this.#stride) {
      cycle.next();
      writeDigits(this.bytes, start + hostOffset, cycle.host);
      view.setUint32(start + timestampOffset, cycle.timestampLow, true);
      view.setUint32(start + timestampOffset + 4, cycle.timestampHigh, true);
      if (++this.#row === valueRows) this.#row = 0;
      const row = this.#row * samples;
      for (let i = 0; i < samples; i++) view.setFloat64(start + valueOffsets[i]!, values[row + i]!, true);
    }
  }
}

function writeDigits(bytes: Uint8Array, offset: number, number: number): void {
  let rest = number;
  for (let i = hostDigits - 1; i >= 0; i--) {
    bytes[offset + i] = 0x30 + (rest % 10);
    rest = Math.floor(rest / 10);
  }
}

function varint(value: number): Uint8Array {
  const bytes: number[] = [];
  let rest = value;
  for (; rest >= 0x80; rest >>>= 7) bytes.push((rest & 0x7f) | 0x80);
  return Uint8Array.of(...bytes, rest);
}
