import { create, fromBinary, toBinary } from "@bufbuild/protobuf";
import { Code, ConnectError } from "@connectrpc/connect";
import type { Outcome } from "@mon/intake";
import { ReportResponseSchema } from "@mon/proto";
import { ReportBatchSchema } from "@mon/proto/wire";
import { durabilityMessage, outcomeMessage } from "./outcome-message.ts";

/** A numbered batch, its reports as bytes. */
export interface ReportBatch {
  readonly sequence: number;
  readonly reports: readonly Uint8Array[];
}

/** Tags of `ReportRequest.sequence` and `ReportRequest.reports`. */
const sequenceTag = 0x08;
const reportsTag = 0x12;

/**
 * Decodes a `ReportRequest`, leaving its reports undecoded: views of `bytes`. Whatever is not plainly written goes to
 * protobuf-es, which says the same of plain messages.
 *
 * @throws {ConnectError} INVALID_ARGUMENT when the bytes are no message
 */
export function decodeReportBatch(bytes: Uint8Array): ReportBatch {
  const reports: Uint8Array[] = [];
  let sequence = 0;
  let position = 0;
  while (position < bytes.length) {
    const tag = bytes[position++];
    if (tag !== sequenceTag && tag !== reportsTag) return decodeAny(bytes);
    let value = 0;
    for (let shift = 0; ; shift += 7) {
      const byte = bytes[position++];
      if (byte === undefined || shift > 28) return decodeAny(bytes);
      value |= (byte & 0x7f) << shift;
      if (byte < 0x80) break;
    }
    value >>>= 0;
    if (tag === sequenceTag) {
      sequence = value;
      continue;
    }
    if (position + value > bytes.length) return decodeAny(bytes);
    reports.push(bytes.subarray(position, position + value));
    position += value;
  }
  return { sequence, reports };
}

function decodeAny(bytes: Uint8Array): ReportBatch {
  try {
    return fromBinary(ReportBatchSchema, bytes, { readUnknownFields: false });
  } catch (cause) {
    const reason = cause instanceof Error ? cause.message : String(cause);
    throw new ConnectError(`expected a ReportRequest, got other bytes: ${reason}`, Code.InvalidArgument);
  }
}

const scratch = new Uint8Array(64);

/** Encodes a `ReportResponse`; an outcome without rejections and refusals without making messages of it. */
export function encodeReportResponse(sequence: number, outcome: Outcome): Uint8Array {
  const { rejections, refusals } = outcome;
  if (rejections.length > 0 || refusals.length > 0) {
    return toBinary(
      ReportResponseSchema,
      create(ReportResponseSchema, { sequence, outcome: outcomeMessage(outcome) }),
    );
  }
  // The outcome first, at the end of the scratch, because its length stands before it.
  const { reportsStored, samplesStored, durability, copies } = outcome;
  let end = putField(0x08, reportsStored, 20);
  end = putField(0x10, samplesStored, end);
  end = putField(0x18, durabilityMessage(durability), end);
  end = putField(0x20, copies, end);
  const start = putField(0x08, sequence, 0);
  scratch[start] = 0x12;
  scratch[start + 1] = end - 20;
  scratch.copyWithin(start + 2, 20, end);
  return scratch.slice(0, start + 2 + end - 20);
}

/** Writes a varint field; nothing for 0. @returns where it ends */
function putField(tag: number, value: number, at: number): number {
  if (value === 0) return at;
  scratch[at] = tag;
  let position = at + 1;
  let rest = value;
  while (rest >= 0x80) {
    scratch[position++] = (rest & 0x7f) | 0x80;
    rest >>>= 7;
  }
  scratch[position++] = rest;
  return position;
}
