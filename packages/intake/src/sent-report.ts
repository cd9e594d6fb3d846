import { tag } from "@mon/store";
import { readSample, type SentSample } from "./sent-sample.ts";
import { WireReader } from "./wire-reader.ts";

/** A report as sent: fields read, nothing checked. */
export interface SentReport {
  /** Where the host id stands; an empty range when there is none. */
  hostStart: number;
  hostEnd: number;
  /** The time as sent, an unsigned 64-bit integer in two halves; 0 when there is none. */
  timestampHigh: number;
  timestampLow: number;
  /** The `time` field, in milliseconds since the Unix epoch. */
  timeMs: number | undefined;
  readonly samples: SentSample[];
  /** How often host and timestamp came. */
  headers: number;
}

const reportReader = new WireReader();
const timeReader = new WireReader();

/** Reads a `mon.v1.Report` of any shape that the wire format allows. @throws {MalformedError} */
export function readReport(bytes: Uint8Array): SentReport {
  const report: SentReport = {
    hostStart: 0,
    hostEnd: 0,
    timestampHigh: 0,
    timestampLow: 0,
    timeMs: undefined,
    samples: [],
    headers: 0,
  };
  const time: SentTime = { seconds: 0n, nanos: 0 };
  const reader = reportReader;
  reader.open(bytes, 0, bytes.length);
  while (!reader.done) {
    const fieldTag = reader.tag();
    switch (fieldTag) {
      case tag.hostId:
        report.hostStart = reader.run();
        report.hostEnd = reader.position;
        report.headers++;
        break;
      case tag.timestampMs: {
        const at = reader.fixed(8);
        report.timestampLow = uint32At(bytes, at);
        report.timestampHigh = uint32At(bytes, at + 4);
        report.headers++;
        break;
      }
      case tag.samples: {
        const start = reader.run();
        report.samples.push(readSample(bytes, start, reader.position, report.samples.length));
        break;
      }
      case tag.time:
        readTime(bytes, reader.run(), reader.position, time);
        report.timeMs = millisecondsOf(time);
        break;
      default:
        reader.skip(fieldTag);
    }
  }
  return report;
}

/** A google.protobuf.Timestamp as sent. */
interface SentTime {
  seconds: bigint;
  nanos: number;
}

/** Reads a google.protobuf.Timestamp into one that came before it: a message that comes twice is merged. */
function readTime(bytes: Uint8Array, start: number, end: number, time: SentTime): void {
  const reader = timeReader;
  reader.open(bytes, start, end);
  while (!reader.done) {
    const fieldTag = reader.tag();
    if (fieldTag === 0x08) time.seconds = BigInt.asIntN(64, reader.uint64());
    else if (fieldTag === 0x10) time.nanos = reader.uint32() | 0;
    else reader.skip(fieldTag);
  }
}

/** Cut to the millisecond. */
function millisecondsOf({ seconds, nanos }: SentTime): number {
  return Number(seconds) * 1_000 + Math.floor(nanos / 1e6);
}

/** The unsigned integer in the four bytes at `at`. */
export function uint32At(bytes: Uint8Array, at: number): number {
  return (bytes[at]! | (bytes[at + 1]! << 8) | (bytes[at + 2]! << 16) | (bytes[at + 3]! << 24)) >>> 0;
}
