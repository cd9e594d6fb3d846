import { crc32 } from "node:zlib";
import { type HardState, type LogPosition, origin, RaftError } from "@mon/raft";
import { decodeText, encodeText, getInteger, putInteger, viewOf } from "./bytes.ts";
import { corrupt } from "./failure.ts";
import { headKey } from "./key.ts";

/** The layout that this code writes, and the newest that it reads. */
export const formatVersion = 1;

/** A place in the log, and where the chain of checksums is there. */
export interface ChainPosition extends LogPosition {
  /** Checksum of the entry there, which the next entry repeats; of a base that no entry led to, 0. */
  readonly crc32: number;
}

/** What a batch leaves behind. Every batch replaces it, so it always fits what else is there. */
export interface Head {
  /** Number of the batch, from 1; 0 in storage that was never written to. */
  readonly sequence: number;
  readonly base: ChainPosition;
  /** The last entry, or the base. */
  readonly last: ChainPosition;
  readonly hardState: HardState | undefined;
  /** Checksum of the identity's record; undefined when there is none. */
  readonly stableCrc32: number | undefined;
}

const start: ChainPosition = { ...origin, crc32: 0 };

/** The head of storage that was never written to. */
export const initialHead: Head = {
  sequence: 0,
  base: start,
  last: start,
  hardState: undefined,
  stableCrc32: undefined,
};

const has = { hardState: 1, vote: 2, stable: 4 } as const;
const fixedBytes = 72;

/** The record of a head: a version, its fields, a checksum over key and record, and the mark that ends the batch. */
export function encodeHead(head: Head, mark: Uint8Array): Uint8Array {
  const vote = head.hardState?.votedFor === undefined ? undefined : encodeText(head.hardState.votedFor);
  const sealAt = fixedBytes + (vote?.length ?? 0);
  const bytes = new Uint8Array(sealAt + 4 + mark.length);
  const view = viewOf(bytes);
  bytes[0] = formatVersion;
  bytes[1] =
    (head.hardState === undefined ? 0 : has.hardState) |
    (vote === undefined ? 0 : has.vote) |
    (head.stableCrc32 === undefined ? 0 : has.stable);
  view.setUint16(2, vote?.length ?? 0);
  putInteger(view, 4, head.sequence);
  putPosition(view, 12, head.base);
  putPosition(view, 32, head.last);
  putInteger(view, 52, head.hardState?.term ?? 0);
  putInteger(view, 60, head.hardState?.commit ?? 0);
  view.setUint32(68, head.stableCrc32 ?? 0);
  if (vote !== undefined) bytes.set(vote, fixedBytes);
  view.setUint32(sealAt, crc32(bytes.subarray(0, sealAt), crc32(headKey)));
  bytes.set(mark, sealAt + 4);
  return bytes;
}

/**
 * Reads what {@link encodeHead} wrote.
 *
 * @throws {RaftError} RAFT_LOG_CORRUPT, RAFT_STORAGE_UNSUPPORTED
 */
export function decodeHead(bytes: Uint8Array, mark: Uint8Array, directory: string): Head {
  const sealAt = bytes.length - 4 - mark.length;
  const view = viewOf(bytes);
  if (sealAt < 1 || view.getUint32(sealAt) !== crc32(bytes.subarray(0, sealAt), crc32(headKey))) {
    throw corrupt(`${directory}: expected another checksum of the head`);
  }
  if (bytes[0]! > formatVersion) {
    const got = `expected format ${formatVersion} or older, got ${bytes[0]}; a newer release wrote it`;
    throw new RaftError("RAFT_STORAGE_UNSUPPORTED", `${directory}: ${got}`);
  }
  const flags = bytes[1]!;
  const vote = bytes.subarray(fixedBytes, fixedBytes + view.getUint16(2));
  return {
    sequence: getInteger(view, 4),
    base: positionAt(view, 12),
    last: positionAt(view, 32),
    hardState:
      flags & has.hardState
        ? {
            term: getInteger(view, 52),
            votedFor: flags & has.vote ? decodeText(vote) : undefined,
            commit: getInteger(view, 60),
          }
        : undefined,
    stableCrc32: flags & has.stable ? view.getUint32(68) : undefined,
  };
}

function putPosition(view: DataView, at: number, position: ChainPosition): void {
  putInteger(view, at, position.index);
  putInteger(view, at + 8, position.term);
  view.setUint32(at + 16, position.crc32);
}

function positionAt(view: DataView, at: number): ChainPosition {
  return { index: getInteger(view, at), term: getInteger(view, at + 8), crc32: view.getUint32(at + 16) };
}
