import { type Message, RaftError } from "@mon/raft";
import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { decodeBatch, encodeBatch, messageBytesMax } from "../src/batch.ts";
import { check, message } from "./arbitraries.ts";
import { append, heartbeat } from "./support.ts";

const batch = fc.array(message, { maxLength: 6 });

function codeOf(action: () => unknown): string {
  try {
    action();
    return "nothing thrown";
  } catch (error) {
    return error instanceof RaftError ? error.code : String(error);
  }
}

describe("a batch", () => {
  it("decodes to the messages that were encoded, whatever they are", () => {
    check(
      fc.property(batch, (messages) => {
        expect(decodeBatch(encodeBatch(messages), "a", "b")).toEqual(messages);
      }),
      300,
    );
  });

  it("is never larger than was foretold", () => {
    check(
      fc.property(message, (one) => {
        expect(encodeBatch([one]).byteLength).toBeLessThanOrEqual(messageBytesMax(one));
      }),
      300,
    );
  });

  it("that is cut short is malformed, or has the messages before the cut", () => {
    check(
      fc.property(batch, fc.nat(), (messages, at) => {
        const bytes = encodeBatch(messages);
        const cut = bytes.subarray(0, at % (bytes.byteLength + 1));
        let decoded: Message[];
        try {
          decoded = decodeBatch(cut, "a", "b");
        } catch (error) {
          expect(error).toMatchObject({ name: "RaftError", code: "RAFT_MALFORMED" });
          return;
        }
        expect(decoded).toEqual(messages.slice(0, decoded.length));
      }),
      300,
    );
  });

  it("of any bytes at all is messages or a coded error", () => {
    check(
      fc.property(fc.uint8Array({ maxLength: 200 }), (bytes) => {
        expect(["nothing thrown", "RAFT_MALFORMED", "RAFT_INDEX_OVERFLOW"]).toContain(
          codeOf(() => decodeBatch(bytes, "a", "b")),
        );
      }),
      1_000,
    );
  });

  it("has these bytes in format 1", () => {
    const bytes = encodeBatch([
      heartbeat("a", "b", 258),
      append("a", "b", 2, 3),
      { type: "stateHash", from: "a", to: "b", term: Number.MAX_SAFE_INTEGER, index: 1, hash: "ä" },
    ]);
    const expected = [
      // kind, term, session, commit, readSequence
      "06 0000000000000001 0000000000000001 0000000000000000 0000000000000000 0000000000000102",
      // kind, term, session, prevIndex, prevTerm, commit, count of entries
      "04 0000000000000001 0000000000000001 0000000000000001 0000000000000001 0000000000000000 00000001",
      // index, term, type, timestampMs, data
      "0000000000000002 0000000000000001 00 0000000000000000 00000003 000000",
      // kind, term, index, hash
      "10 001fffffffffffff 0000000000000001 00000002 c3a4",
    ];
    expect(Buffer.from(bytes).toString("hex")).toBe(expected.join("").replaceAll(" ", ""));
  });

  it("refuses a number beyond 2^53 − 1", () => {
    const bytes = encodeBatch([heartbeat("a", "b", 0)]);
    // The first byte of the term.
    bytes[2] = 0x20;
    expect(codeOf(() => decodeBatch(bytes, "a", "b"))).toBe("RAFT_INDEX_OVERFLOW");
  });

  it("shares memory with entries that fill it, and lends none to a small entry of a large frame", () => {
    const full = encodeBatch([append("a", "b", 1, 1_000)]);
    const frame = new Uint8Array(100_000);
    frame.set(full);
    const entryOf = (bytes: Uint8Array) =>
      (decodeBatch(bytes, "a", "b")[0] as Extract<Message, { type: "append" }>).entries[0]!;
    expect(entryOf(full).data.buffer).toBe(full.buffer);
    expect(entryOf(frame.subarray(0, full.byteLength)).data.buffer.byteLength).toBe(1_000);
  });
});
