/**
 * Batches of messages as bytes. A message is the number of its kind, its term and its own fields; sender and receiver are
 * those of the stream. Numbers have a fixed width: that costs some bytes, and makes both sides a straight run of stores
 * and loads, without the 64-bit integers that Protobuf's generated code would allocate for each entry.
 *
 * This is format {@link formatVersion}. Whoever changes a field, adds a kind or an error code makes another one.
 */
import type { ConfChangeStep, Entry, EntryType, Message, NodeId, Proposal, RaftErrorCode } from "@mon/raft";
import { RaftError } from "@mon/raft";
import { ByteReader } from "./byte-reader.ts";
import { ByteWriter } from "./byte-writer.ts";
import { isRaftErrorCode } from "./failure.ts";

/** Named in the opening of each stream. */
export const formatVersion = 1;

/** Numbers on the wire are places in these lists, which therefore only ever grow at their ends, with the format. */
const kinds: readonly Message["type"][] = [
  "vote",
  "preVote",
  "voteResponse",
  "preVoteResponse",
  "append",
  "appendResponse",
  "heartbeat",
  "heartbeatResponse",
  "snapshot",
  "timeoutNow",
  "propose",
  "proposeChange",
  "proposeResponse",
  "readIndex",
  "readIndexResponse",
  "transferLeadership",
  "stateHash",
  "diverged",
  "snapshotRequest",
];
const entryTypes: readonly EntryType[] = ["command", "noop", "config"];
const stepKinds: readonly ConfChangeStep["kind"][] = ["addVoter", "addLearner", "remove"];

const kindNumbers = new Map(kinds.map((kind, number) => [kind, number]));

/** No message has more bytes than this beside entries, proposals and text. */
const fixedBytesMax = 96;
/** The bytes of an entry, and of a proposal, beside its data. */
const entryBytes = 29;
const proposalBytes = 12;

/** What a message takes in a batch at most. O(entries). */
export function messageBytesMax(message: Message): number {
  switch (message.type) {
    case "append":
      return message.entries.reduce((sum, { data }) => sum + entryBytes + data.byteLength, fixedBytesMax);
    case "propose":
      return message.proposals.reduce(
        (sum, { data }) => sum + proposalBytes + data.byteLength,
        fixedBytesMax,
      );
    case "proposeChange":
      return message.change.steps.reduce((sum, { id }) => sum + 1 + textBytesMax(id), fixedBytesMax);
    case "snapshot": {
      const { voters, learners, votersOutgoing, learnersNext } = message.snapshot.conf;
      const ids = [...voters, ...learners, ...votersOutgoing, ...learnersNext];
      return ids.reduce((sum, id) => sum + textBytesMax(id), fixedBytesMax);
    }
    case "proposeResponse":
      return fixedBytesMax + ("refused" in message.outcome ? textBytesMax(message.outcome.refused) : 0);
    case "transferLeadership":
      return fixedBytesMax + textBytesMax(message.target);
    case "stateHash":
    case "diverged":
      return fixedBytesMax + textBytesMax(message.hash);
    default:
      return fixedBytesMax;
  }
}

/** A UTF-16 unit is at most three bytes of UTF-8. */
function textBytesMax(text: string): number {
  return 4 + 3 * text.length;
}

/** Encodes messages; the data of entries is copied once. O(bytes). */
export function encodeBatch(messages: readonly Message[]): Uint8Array {
  const writer = new ByteWriter(messages.reduce((sum, message) => sum + messageBytesMax(message), 0));
  for (const message of messages) writeMessage(writer, message);
  return writer.finish();
}

/**
 * Decodes a batch. Entries and proposals are views of `batch` where they are a good part of the memory that it pins, and
 * copies otherwise.
 *
 * @throws {RaftError} RAFT_MALFORMED, RAFT_INDEX_OVERFLOW
 */
export function decodeBatch(batch: Uint8Array, from: NodeId, to: NodeId): Message[] {
  const reader = new ByteReader(batch);
  const messages: Message[] = [];
  while (!reader.isAtEnd) messages.push(readMessage(reader, from, to));
  const dataBytes = messages.reduce((sum, message) => sum + dataBytesOf(message), 0);
  return dataBytes * 4 >= batch.buffer.byteLength ? messages : messages.map(withOwnData);
}

function writeMessage(writer: ByteWriter, message: Message): void {
  // The map has all kinds.
  writer.u8(kindNumbers.get(message.type)!);
  writer.u64(message.term);
  switch (message.type) {
    case "vote":
    case "preVote":
      writer.u64(message.lastIndex);
      writer.u64(message.lastTerm);
      writer.flag(message.transfer);
      writer.flag(message.newcomer);
      return;
    case "voteResponse":
    case "preVoteResponse":
      writer.flag(message.granted);
      return;
    case "append":
      writer.u64(message.session);
      writer.u64(message.prevIndex);
      writer.u64(message.prevTerm);
      writer.u64(message.commit);
      writer.u32(message.entries.length);
      for (const entry of message.entries) writeEntry(writer, entry);
      return;
    case "appendResponse":
      writer.u64(message.session);
      writer.u64(message.index);
      writer.flag(message.hint !== undefined);
      if (message.hint === undefined) return;
      writer.u64(message.hint.index);
      writer.u64(message.hint.term);
      return;
    case "heartbeat":
      writer.u64(message.session);
      writer.u64(message.commit.index);
      writer.u64(message.commit.term);
      writer.u64(message.readSequence);
      return;
    case "heartbeatResponse":
      writer.u64(message.session);
      writer.u64(message.readSequence);
      return;
    case "snapshot": {
      const { index, term, conf, confIndex, sizeBytes, crc32 } = message.snapshot;
      writer.u64(message.session);
      writer.u64(index);
      writer.u64(term);
      writeIds(writer, conf.voters);
      writeIds(writer, conf.learners);
      writeIds(writer, conf.votersOutgoing);
      writeIds(writer, conf.learnersNext);
      writer.u64(confIndex);
      writer.u64(sizeBytes);
      writer.u32(crc32);
      return;
    }
    case "timeoutNow":
      return;
    case "propose":
      writer.u64(message.requestId);
      writer.u32(message.proposals.length);
      for (const { data, timestampMs } of message.proposals) {
        writer.f64(timestampMs);
        writer.bytes(data);
      }
      return;
    case "proposeChange":
      writer.u64(message.requestId);
      writer.f64(message.change.timestampMs);
      writer.u32(message.change.steps.length);
      for (const { kind, id } of message.change.steps) {
        writer.u8(stepKinds.indexOf(kind));
        writer.text(id);
      }
      return;
    case "proposeResponse": {
      const { requestId, outcome } = message;
      writer.u64(requestId);
      writer.flag("refused" in outcome);
      if ("refused" in outcome) {
        writer.text(outcome.refused);
      } else {
        writer.u64(outcome.index);
        writer.u64(outcome.term);
      }
      return;
    }
    case "readIndex":
      writer.u64(message.requestId);
      return;
    case "readIndexResponse":
      writer.u64(message.requestId);
      writer.u64(message.index);
      return;
    case "transferLeadership":
      writer.text(message.target);
      return;
    case "stateHash":
    case "diverged":
      writer.u64(message.index);
      writer.text(message.hash);
      return;
    case "snapshotRequest":
      writer.u64(message.index);
      return;
    default:
      message satisfies never;
  }
}

function writeEntry(writer: ByteWriter, { index, term, type, data, timestampMs }: Entry): void {
  writer.u64(index);
  writer.u64(term);
  writer.u8(entryTypes.indexOf(type));
  writer.f64(timestampMs);
  writer.bytes(data);
}

function writeIds(writer: ByteWriter, ids: readonly NodeId[]): void {
  writer.u32(ids.length);
  for (const id of ids) writer.text(id);
}

function readMessage(reader: ByteReader, from: NodeId, to: NodeId): Message {
  const type = oneOf("a kind of message", kinds, reader.u8());
  const head = { from, to, term: reader.u64() };
  switch (type) {
    case "vote":
    case "preVote":
      return {
        type,
        ...head,
        lastIndex: reader.u64(),
        lastTerm: reader.u64(),
        transfer: reader.flag(),
        newcomer: reader.flag(),
      };
    case "voteResponse":
    case "preVoteResponse":
      return { type, ...head, granted: reader.flag() };
    case "append": {
      const session = reader.u64();
      const prevIndex = reader.u64();
      const prevTerm = reader.u64();
      const commit = reader.u64();
      const entries = listOf(reader, readEntry);
      return { type, ...head, session, prevIndex, prevTerm, entries, commit };
    }
    case "appendResponse": {
      const answer = { type, ...head, session: reader.u64(), index: reader.u64() } as const;
      return reader.flag() ? { ...answer, hint: { index: reader.u64(), term: reader.u64() } } : answer;
    }
    case "heartbeat": {
      const session = reader.u64();
      const commit = { index: reader.u64(), term: reader.u64() };
      return { type, ...head, session, commit, readSequence: reader.u64() };
    }
    case "heartbeatResponse":
      return { type, ...head, session: reader.u64(), readSequence: reader.u64() };
    case "snapshot": {
      const session = reader.u64();
      const point = { index: reader.u64(), term: reader.u64() };
      const conf = {
        voters: listOf(reader, readId),
        learners: listOf(reader, readId),
        votersOutgoing: listOf(reader, readId),
        learnersNext: listOf(reader, readId),
      };
      const rest = { confIndex: reader.u64(), sizeBytes: reader.u64(), crc32: reader.u32() };
      return { type, ...head, session, snapshot: { ...point, conf, ...rest } };
    }
    case "timeoutNow":
      return { type, ...head };
    case "propose":
      return { type, ...head, requestId: reader.u64(), proposals: listOf(reader, readProposal) };
    case "proposeChange": {
      const requestId = reader.u64();
      const timestampMs = reader.f64();
      return { type, ...head, requestId, change: { steps: listOf(reader, readStep), timestampMs } };
    }
    case "proposeResponse": {
      const requestId = reader.u64();
      const outcome = reader.flag()
        ? { refused: readErrorCode(reader) }
        : { index: reader.u64(), term: reader.u64() };
      return { type, ...head, requestId, outcome };
    }
    case "readIndex":
      return { type, ...head, requestId: reader.u64() };
    case "readIndexResponse":
      return { type, ...head, requestId: reader.u64(), index: reader.u64() };
    case "transferLeadership":
      return { type, ...head, target: reader.text() };
    case "stateHash":
    case "diverged":
      return { type, ...head, index: reader.u64(), hash: reader.text() };
    case "snapshotRequest":
      return { type, ...head, index: reader.u64() };
  }
}

function readEntry(reader: ByteReader): Entry {
  const index = reader.u64();
  const term = reader.u64();
  const type = oneOf("a type of entry", entryTypes, reader.u8());
  const timestampMs = reader.f64();
  return { index, term, type, data: reader.bytes(), timestampMs };
}

function readProposal(reader: ByteReader): Proposal {
  const timestampMs = reader.f64();
  return { data: reader.bytes(), timestampMs };
}

function readStep(reader: ByteReader): ConfChangeStep {
  return { kind: oneOf("a kind of step", stepKinds, reader.u8()), id: reader.text() };
}

function readId(reader: ByteReader): NodeId {
  return reader.text();
}

function readErrorCode(reader: ByteReader): RaftErrorCode {
  const code = reader.text();
  if (isRaftErrorCode(code)) return code;
  throw new RaftError("RAFT_MALFORMED", `expected the code of an error, got ${code.slice(0, 64)}`);
}

/** Reads a count and that many; a count beyond the bytes that follow fails when they end. */
function listOf<T>(reader: ByteReader, read: (reader: ByteReader) => T): T[] {
  const list: T[] = [];
  for (let left = reader.u32(); left > 0; left--) list.push(read(reader));
  return list;
}

function oneOf<T>(what: string, values: readonly T[], number: number): T {
  const value = values[number];
  if (value !== undefined) return value;
  throw new RaftError("RAFT_MALFORMED", `expected ${what} below ${values.length}, got ${number}`);
}

function dataBytesOf(message: Message): number {
  if (message.type === "append") return message.entries.reduce((sum, { data }) => sum + data.byteLength, 0);
  if (message.type === "propose")
    return message.proposals.reduce((sum, { data }) => sum + data.byteLength, 0);
  return 0;
}

function withOwnData(message: Message): Message {
  if (message.type === "append") return { ...message, entries: message.entries.map(copied) };
  if (message.type === "propose") return { ...message, proposals: message.proposals.map(copied) };
  return message;
}

function copied<T extends { readonly data: Uint8Array }>(holder: T): T {
  return { ...holder, data: holder.data.slice() };
}
