import { hostDigits, type ReportTemplate, valueRows } from "./corpus.ts";
import type { HostCycle } from "./host-cycle.ts";
import type { Batch } from "./lane.ts";

/** Milliseconds since the Unix epoch have so many digits from 2001 to 2286. */
const timestampDigits = 13;
const zero = 0x30;

/** One report with one row of values, as lines. */
interface InfluxReport {
  readonly bytes: Uint8Array;
  /** Where the digits of the host stand, and those of the time, line by line. */
  readonly hostOffsets: readonly number[];
  readonly timestampOffsets: readonly number[];
}

/**
 * A corpus as Influx lines: the same series and, bit for bit, the same values. Samples of a report that have the same
 * labels share a line, each a field under its metric's name, and the host is a tag: the fewest lines that can be.
 */
export class InfluxTemplate {
  readonly reports: readonly InfluxReport[];
  readonly reportBytesMax: number;

  constructor(template: ReportTemplate) {
    const heads = new Map<string, number[]>();
    for (const [index, { labels }] of template.series.entries()) {
      const head = labels.map(({ name, value }) => `,${escapeText(name)}=${escapeText(value)}`).join("");
      const indices = heads.get(head);
      if (indices === undefined) heads.set(head, [index]);
      else indices.push(index);
    }
    this.reports = Array.from({ length: valueRows }, (_, row) => makeReport(template, heads, row));
    this.reportBytesMax = Math.max(...this.reports.map(({ bytes }) => bytes.length));
  }
}

function makeReport(
  { series, values, hostPrefix }: ReportTemplate,
  heads: ReadonlyMap<string, readonly number[]>,
  row: number,
): InfluxReport {
  const hostOffsets: number[] = [];
  const timestampOffsets: number[] = [];
  let text = "";
  for (const [head, indices] of heads) {
    text += `report,host=${hostPrefix}`;
    hostOffsets.push(text.length);
    const fields = indices.map(
      (index) => `${escapeText(series[index]!.name)}=${values[row * series.length + index]!}`,
    );
    text += `${"0".repeat(hostDigits)}${head} ${fields.join(",")} `;
    timestampOffsets.push(text.length);
    text += `${"0".repeat(timestampDigits)}\n`;
  }
  const bytes = Buffer.from(text);
  if (bytes.length !== text.length) throw new Error("expected a corpus of ASCII characters");
  return { bytes, hostOffsets, timestampOffsets };
}

/** Commas, equals signs and spaces end what stands before them, unless they are escaped. */
function escapeText(text: string): string {
  return text.replace(/[,= ]/g, "\\$&");
}

/** The lines of a batch. They are copied from a template and exchanged in place, so that hardly anything is formatted. */
export class InfluxBatch implements Batch {
  readonly reports: number;
  readonly #template: InfluxTemplate;
  readonly #bytes: Buffer;
  readonly #digits = new Uint8Array(timestampDigits);
  #length = 0;
  #row: number;

  /** @param number - of the batch, so that no two begin with the same values */
  constructor(template: InfluxTemplate, reports: number, number: number) {
    this.reports = reports;
    this.#template = template;
    this.#bytes = Buffer.alloc(reports * template.reportBytesMax);
    this.#row = (number * 97) % valueRows;
  }

  /** What to send: a view, of another length after each renewal. */
  get bytes(): Buffer {
    return this.#bytes.subarray(0, this.#length);
  }

  renew(cycle: HostCycle): void {
    const bytes = this.#bytes;
    let start = 0;
    let timestampMs = Number.NaN;
    for (let report = 0; report < this.reports; report++) {
      cycle.next();
      if (++this.#row === valueRows) this.#row = 0;
      const lines = this.#template.reports[this.#row]!;
      bytes.set(lines.bytes, start);
      for (const offset of lines.hostOffsets) {
        writeDigits(bytes.subarray(start + offset, start + offset + hostDigits), cycle.host);
      }
      const atMs = cycle.timestampHigh * 2 ** 32 + cycle.timestampLow;
      if (atMs !== timestampMs) writeDigits(this.#digits, atMs);
      timestampMs = atMs;
      for (const offset of lines.timestampOffsets) bytes.set(this.#digits, start + offset);
      start += lines.bytes.length;
    }
    this.#length = start;
  }
}

function writeDigits(bytes: Uint8Array, number: number): void {
  let rest = number;
  for (let i = bytes.length - 1; i >= 0; i--) {
    bytes[i] = zero + (rest % 10);
    rest = Math.floor(rest / 10);
  }
}
