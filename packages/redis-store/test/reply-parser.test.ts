import fc from "fast-check";
import { expect, test } from "vitest";
import { type Reply, ReplyError } from "../src/wire/reply.ts";
import { ProtocolError, ReplyParser } from "../src/wire/reply-parser.ts";

const limits = { bulkBytesMax: 1024, elementsMax: 100 };

/** A slow, obvious encoder of replies. */
function encode(reply: Reply): Buffer {
  if (reply === null) return Buffer.from("$-1\r\n");
  if (typeof reply === "number") return Buffer.from(`:${reply}\r\n`);
  if (typeof reply === "string") return Buffer.from(`+${reply}\r\n`);
  if (reply instanceof ReplyError) return Buffer.from(`-${reply.message}\r\n`);
  if (reply instanceof Uint8Array)
    return Buffer.concat([Buffer.from(`$${reply.length}\r\n`), reply, Buffer.from("\r\n")]);
  return Buffer.concat([Buffer.from(`*${reply.length}\r\n`), ...reply.map(encode)]);
}

function parse(pieces: readonly Buffer[]): Reply[] {
  const parser = new ReplyParser(limits);
  const replies: Reply[] = [];
  for (const piece of pieces) parser.push(piece, (reply) => replies.push(reply));
  return replies;
}

const line = fc.string({ unit: fc.constantFrom(..."abc XYZ:$*+-0123"), minLength: 1, maxLength: 20 });
const { reply } = fc.letrec<{ reply: Reply }>((tie) => ({
  reply: fc.oneof(
    { depthSize: "small", withCrossShrink: true },
    fc.integer({ min: -(2 ** 40), max: 2 ** 40 }),
    fc.constant(null),
    line,
    line.map((text) => new ReplyError(text)),
    fc.uint8Array({ maxLength: 40 }),
    fc.array(tie("reply"), { maxLength: 5 }),
  ),
}));

function depth(value: Reply): number {
  return Array.isArray(value) ? 1 + Math.max(0, ...value.map(depth)) : 0;
}

test("replies come out as they went in, wherever the stream is cut", () => {
  const replies = fc.array(
    reply.filter((value) => depth(value) <= 8),
    { maxLength: 8 },
  );
  fc.assert(
    fc.property(replies, fc.array(fc.nat(400), { maxLength: 12 }), (expected, cuts) => {
      const bytes = Buffer.concat(expected.map(encode));
      const places = [0, ...cuts.filter((cut) => cut < bytes.length).sort((a, b) => a - b), bytes.length];
      const pieces = places.slice(1).map((end, i) => bytes.subarray(places[i], end));
      expect(parse(pieces)).toEqual(expected);
    }),
  );
});

test("a reply cut into single bytes is read once it is whole", () => {
  const expected: Reply[] = [[1, new TextEncoder().encode("a\r\nb"), [null, "OK"]], new ReplyError("OOM no")];
  const bytes = Buffer.concat(expected.map(encode));
  expect(parse(Array.from(bytes, (byte) => Buffer.from([byte])))).toEqual(expected);
});

test("the code of an error is its first word", () => {
  expect(parse([Buffer.from("-MOVED 3999 127.0.0.1:6381\r\n")])).toMatchObject([{ code: "MOVED" }]);
  expect(parse([Buffer.from("-ERR\r\n")])).toMatchObject([{ code: "ERR", message: "ERR" }]);
});

test.each([
  ["another protocol", "HTTP/1.1 400\r\n"],
  ["a bulk string over the limit", "$1025\r\n"],
  ["an array over the limit", "*101\r\n"],
  ["a length that is no number", "$1x\r\n"],
  ["an empty number", ":\r\n"],
  ["a length below -1", "$-2\r\n"],
  ["a bulk string without its end", "$1\r\nabc"],
  ["arrays too deep", "*1\r\n".repeat(9)],
  ["a line without end", `+${"a".repeat(70_000)}`],
])("%s is a protocol error", (_what, text) => {
  expect(() => parse([Buffer.from(text)])).toThrow(ProtocolError);
});

test("random bytes give replies or a protocol error, nothing else", () => {
  fc.assert(
    fc.property(fc.array(fc.uint8Array({ maxLength: 60 }), { maxLength: 5 }), (pieces) => {
      try {
        parse(pieces.map((piece) => Buffer.from(piece)));
      } catch (error) {
        expect(error).toBeInstanceOf(ProtocolError);
      }
    }),
  );
});
