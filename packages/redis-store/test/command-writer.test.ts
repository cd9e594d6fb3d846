import fc from "fast-check";
import { expect, test } from "vitest";
import { CommandWriter } from "../src/wire/command-writer.ts";
import type { Reply } from "../src/wire/reply.ts";
import { ReplyParser } from "../src/wire/reply-parser.ts";

/** Commands are arrays of bulk strings, so the parser of replies reads them too. */
function commandsOf(bytes: Uint8Array): string[][] {
  const commands: string[][] = [];
  const parser = new ReplyParser({ bulkBytesMax: 1 << 20, elementsMax: 1 << 20 });
  parser.push(Buffer.from(bytes), (reply: Reply) => {
    if (Array.isArray(reply))
      commands.push(reply.map((part) => Buffer.from(part as Uint8Array).toString("latin1")));
  });
  return commands;
}

test("commands are encoded as arrays of bulk strings, whatever their lengths", () => {
  const part = fc.oneof(
    fc.string({ unit: "binary-ascii" }),
    fc.integer().map(String),
    fc.constant("x".repeat(70_000)),
  );
  fc.assert(
    fc.property(fc.array(fc.array(part, { minLength: 1, maxLength: 12 }), { maxLength: 6 }), (commands) => {
      const writer = new CommandWriter();
      for (const parts of commands) {
        writer.begin(parts.length);
        for (const text of parts) {
          if (/^-?\d{1,9}$/.test(text) && String(Number(text)) === text) writer.integer(Number(text));
          else if (text.length % 2 === 0) writer.bytes(Buffer.from(text, "latin1"));
          else writer.text(text);
        }
      }
      expect(writer.commands).toBe(commands.length);
      expect(commandsOf(writer.take())).toEqual(commands);
      expect([writer.length, writer.commands]).toEqual([0, 0]);
    }),
    { numRuns: 30 },
  );
});

test("what was taken does not change when the writer goes on", () => {
  const writer = new CommandWriter();
  const first = writer.begin(1).text("PING").take();
  writer.begin(1).text("QUIT");
  expect(Buffer.from(first).toString()).toBe("*1\r\n$4\r\nPING\r\n");
});
