import { MAX_INDEX, type NodeId } from "../entry.ts";
import { RaftError } from "../errors.ts";
import type { Message } from "../message.ts";

/**
 * Checks what a message must be whoever sent it, before any of it is used.
 *
 * @throws {RaftError} RAFT_WRONG_NODE when it is for another node; RAFT_INDEX_OVERFLOW when a number is no index;
 *   RAFT_MALFORMED when entries do not follow each other
 */
export function assertMessage(message: Message, self: NodeId): void {
  if (message.to !== self) {
    throw new RaftError("RAFT_WRONG_NODE", `expected a message to ${self}, got one to ${message.to}`);
  }
  assertIndex("term", message.term);
  switch (message.type) {
    case "append":
      assertIndex("prevIndex", message.prevIndex);
      assertIndex("prevTerm", message.prevTerm);
      assertIndex("commit", message.commit);
      assertEntries(message);
      return;
    case "appendResponse":
      assertIndex("index", message.index);
      if (message.hint !== undefined) {
        assertIndex("hint.index", message.hint.index);
        assertIndex("hint.term", message.hint.term);
      }
      return;
    case "vote":
    case "preVote":
      assertIndex("lastIndex", message.lastIndex);
      assertIndex("lastTerm", message.lastTerm);
      return;
    case "heartbeat":
      assertIndex("commit.index", message.commit.index);
      assertIndex("commit.term", message.commit.term);
      return;
    case "snapshot":
      assertIndex("snapshot.index", message.snapshot.index);
      assertIndex("snapshot.term", message.snapshot.term);
      if (message.snapshot.index === 0 || message.snapshot.term > message.term) {
        throw new RaftError(
          "RAFT_MALFORMED",
          "expected a snapshot of an entry of the sender's term or before",
        );
      }
      return;
    case "readIndexResponse":
    case "stateHash":
    case "diverged":
    case "snapshotRequest":
      assertIndex("index", message.index);
      return;
    default:
  }
}

function assertEntries({ prevIndex, prevTerm, term, entries }: Extract<Message, { type: "append" }>): void {
  let index = prevIndex;
  let entryTerm = prevTerm;
  for (const entry of entries) {
    index++;
    assertIndex("entry.index", entry.index);
    assertIndex("entry.term", entry.term);
    if (entry.index !== index || entry.term < entryTerm || entry.term > term) {
      throw new RaftError(
        "RAFT_MALFORMED",
        `expected entry ${index} of term ${entryTerm} to ${term}, got entry ${entry.index} of term ${entry.term}`,
      );
    }
    entryTerm = entry.term;
  }
}

function assertIndex(name: string, value: number): void {
  if (!Number.isSafeInteger(value) || value < 0) {
    throw new RaftError("RAFT_INDEX_OVERFLOW", `expected ${name} from 0 to ${MAX_INDEX}, got ${value}`);
  }
}
