import { describe, expect, it } from "vitest";
import { ClientSession, type Entry, type FSM, type SessionResult, withSessions } from "../../src/index.ts";
import { bytes, ListMachine } from "./trio.ts";

let index = 0;

function entry(data: Uint8Array): Entry {
  return { index: ++index, term: 1, type: "command", data, timestampMs: 0 };
}

async function applyOne(
  machine: FSM<SessionResult<number>>,
  data: Uint8Array,
): Promise<SessionResult<number>> {
  return (await machine.apply([entry(data)]))[0]!;
}

describe("sessions (§8, thesis §6.3)", () => {
  it("apply a command once however often it is proposed, and give the first result again", async () => {
    const list = new ListMachine();
    const machine = withSessions(list);
    const session = new ClientSession("a");
    const x = session.command(bytes("x"));
    expect(await applyOne(machine, x)).toEqual({ kind: "applied", result: 0, repeated: false });
    await applyOne(machine, new ClientSession("b").command(bytes("other")));
    expect(await applyOne(machine, x)).toEqual({ kind: "applied", result: 0, repeated: true });
    expect(await applyOne(machine, session.command(bytes("y")))).toMatchObject({ result: 2 });
    expect(list.list).toEqual(["x", "other", "y"]);
  });

  it("do not apply a command that a later one has overtaken, or whose session is forgotten", async () => {
    const list = new ListMachine();
    const machine = withSessions(list, { maxSessions: 2 });
    const a = new ClientSession("a");
    const first = a.command(bytes("1"));
    await applyOne(machine, first);
    await applyOne(machine, a.command(bytes("2")));
    expect(await applyOne(machine, first)).toEqual({ kind: "expired" });
    for (const id of ["b", "c"]) {
      await applyOne(machine, new ClientSession(id).command(bytes(id)));
    }
    expect(await applyOne(machine, a.command(bytes("3")))).toEqual({ kind: "expired" });
    expect(list.list).toEqual(["1", "2", "b", "c"]);
  });

  it("are part of the snapshot and of the fingerprint", async () => {
    const make = (): [ListMachine, FSM<SessionResult<number>>] => {
      const list = new ListMachine();
      list.hash = () => list.list.join();
      return [list, withSessions(list)];
    };
    const [, before] = make();
    const session = new ClientSession("ä\n1");
    const x = session.command(bytes("x"));
    await applyOne(before, x);
    const image = await before.snapshot();
    const [list, after] = make();
    await after.restore(
      (async function* () {
        for await (const chunk of image.chunks()) {
          // In the smallest chunks, so that the header is found wherever it ends.
          for (const byte of chunk) {
            yield new Uint8Array([byte]);
          }
        }
      })(),
    );
    expect(after.hash!()).toBe(before.hash!());
    expect(await applyOne(after, x)).toEqual({ kind: "applied", result: 0, repeated: true });
    expect(list.list).toEqual(["x"]);
    await applyOne(after, session.command(bytes("y")));
    expect(after.hash!()).not.toBe(before.hash!());
  });

  it("answer a command that belongs to none instead of stopping every member, and refuse ids that do not fit", async () => {
    for (const data of [bytes("plain"), bytes(""), new Uint8Array([1, 200, 1])]) {
      expect(await applyOne(withSessions(new ListMachine()), data)).toEqual({ kind: "malformed" });
    }
    expect(() => new ClientSession("")).toThrow(RangeError);
    expect(() => new ClientSession("ä".repeat(128))).toThrow(RangeError);
    expect(() => withSessions(new ListMachine(), { maxSessions: 0 })).toThrow(RangeError);
  });

  it("pass on what the state machine takes from the snapshot only to its end", async () => {
    const machine = withSessions(new ListMachine());
    await expect(machine.restore((async function* () {})())).rejects.toMatchObject({
      code: "RAFT_SNAPSHOT_CORRUPT",
    });
  });
});
