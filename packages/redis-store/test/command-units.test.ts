import fc from "fast-check";
import { expect, test } from "vitest";
import { commandUnits } from "../src/wire/command-units.ts";
import { CommandWriter } from "../src/wire/command-writer.ts";

const seed = Number(process.env.SEED ?? Date.now());

const command = fc
  .array(fc.uint8Array({ maxLength: 40 }), { minLength: 1, maxLength: 5 })
  .filter(([name]) => !/^(MULTI|EXEC)$/i.test(Buffer.from(name!).toString("latin1")));
const unit = fc.oneof(
  fc.record({ isTransaction: fc.constant(false), commands: fc.tuple(command) }),
  fc.record({ isTransaction: fc.constant(true), commands: fc.array(command, { maxLength: 4 }) }),
);

test(`units are what was written, with their bytes and replies (seed ${seed})`, () => {
  fc.assert(
    fc.property(fc.array(unit, { maxLength: 8 }), (units) => {
      const writer = new CommandWriter();
      const expected = units.map(({ isTransaction, commands }) => {
        const [start, first] = [writer.length, writer.commands];
        if (isTransaction) writer.begin(1).text("multi");
        for (const parts of commands) {
          writer.begin(parts.length);
          for (const part of parts) writer.bytes(part);
        }
        if (isTransaction) writer.begin(1).text("EXEC");
        return { start, end: writer.length, first, count: writer.commands - first };
      });
      expect(commandUnits(writer.take())).toEqual(expected);
    }),
    { seed, numRuns: 200 },
  );
});

test("a transaction without its end is no unit; what is no command throws", () => {
  const writer = new CommandWriter().begin(1).text("MULTI").begin(2).text("GET").text("a");
  expect(commandUnits(writer.take())).toEqual([]);
  expect(() => commandUnits(Buffer.from("*1\r\nGET\r\n"))).toThrow(RangeError);
});
