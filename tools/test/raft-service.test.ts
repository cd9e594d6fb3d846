import { once } from "node:events";
import { mkdtemp, rm } from "node:fs/promises";
import { connect } from "node:http2";
import type { AddressInfo } from "node:net";
import os from "node:os";
import path from "node:path";
import fc from "fast-check";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { KeyValueClient, operate } from "../raft-service/client.ts";
import { createDoor } from "../raft-service/grpc-door.ts";
import { Deframer, frame } from "../raft-service/grpc-framing.ts";
import { KeyValueMachine } from "../raft-service/key-value-machine.ts";
import { Member, type MemberStatus } from "../raft-service/member.ts";
import { parseMemberOptions } from "../raft-service/member-options.ts";
import { Service } from "../raft-service/service.ts";
import {
  type Answer,
  type Call,
  decodeAnswer,
  decodeCall,
  decodeRequests,
  encodeAnswer,
  encodeCall,
  encodeRequest,
} from "../raft-service/wire.ts";

const bytes = fc.uint8Array({ maxLength: 300 });
const number = fc.integer({ min: 0, max: Number.MAX_SAFE_INTEGER });
const call: fc.Arbitrary<Call> = fc.oneof(
  fc.record({ kind: fc.constant("put" as const), key: bytes, value: bytes }),
  fc.record({ kind: fc.constant("get" as const), key: bytes }),
  fc.record({
    kind: fc.constant("compareAndSet" as const),
    key: bytes,
    value: bytes,
    expected: fc.option(bytes, { nil: undefined }),
  }),
);
/** `SEED=… vitest run` repeats a run; a failure prints its seed. */
const parameters = process.env.SEED === undefined ? {} : { seed: Number(process.env.SEED) };

/** An object with its bytes as text, to be compared: a Buffer is not equal to other arrays. */
const plain = (object: object) =>
  Object.fromEntries(
    Object.entries(object).map(([name, value]) => [
      name,
      value instanceof Uint8Array ? Buffer.from(value).toString("hex") : value,
    ]),
  );

describe("messages of key-value.proto", () => {
  it("are read as they were written", () => {
    fc.assert(
      fc.property(fc.array(fc.tuple(number, call)), (calls) => {
        const message = Buffer.concat(
          calls.map(([each, asked]) => encodeRequest(each, asked.kind, encodeCall(asked))),
        );
        const read = decodeRequests(message);
        expect(read.map((request) => request.number)).toEqual(calls.map(([each]) => each));
        expect(read.map((request) => plain(decodeCall(request.kind, request.call)))).toEqual(
          calls.map(([, asked]) => plain(asked)),
        );
      }),
      parameters,
    );
    const answer: fc.Arbitrary<Answer> = fc.record({
      number,
      revision: number,
      value: fc.option(bytes, { nil: undefined }),
      refused: fc.boolean(),
      error: fc.option(fc.string({ minLength: 1 }), { nil: undefined }),
    });
    fc.assert(
      fc.property(answer, (written) => {
        expect(plain(decodeAnswer(encodeAnswer(written)))).toEqual(plain(written));
      }),
      parameters,
    );
  });

  it("come out of gRPC's frames whole, however they were cut on the way", () => {
    fc.assert(
      fc.property(fc.array(bytes), fc.array(fc.nat({ max: 40 })), (messages, cuts) => {
        const deframer = new Deframer(1_000);
        let rest = Buffer.concat(messages.map((message) => frame(message)));
        const found: Buffer[] = [];
        for (const cut of [...cuts, rest.length]) {
          found.push(...deframer.push(rest.subarray(0, cut)));
          rest = rest.subarray(cut);
        }
        found.push(...deframer.push(rest));
        expect(found.map((each) => each.toString("hex"))).toEqual(
          messages.map((each) => Buffer.from(each).toString("hex")),
        );
      }),
      parameters,
    );
  });

  it("that are too large, compressed, or cut short are refused", () => {
    expect(() => new Deframer(10).push(frame(new Uint8Array(11)))).toThrow(/at most 10 bytes/);
    expect(() => new Deframer(10).push(Buffer.from([1, 0, 0, 0, 1, 0]))).toThrow(/plain message/);
    const request = encodeRequest(1, "get", encodeCall({ kind: "get", key: Buffer.from("key") }));
    expect(() => decodeRequests(request.subarray(0, -1))).toThrow(/end of the message/);
    expect(() => decodeCall("get", new Uint8Array())).toThrow(/expected a key/);
  });
});

describe("the map", () => {
  const key = Buffer.from("key");
  const entry = (index: number, ...calls: Call[]) => ({
    index,
    term: 1,
    type: "command" as const,
    timestampMs: 0,
    data: Buffer.concat(calls.map((each, at) => encodeRequest(at, each.kind, encodeCall(each)))),
  });
  const put = (value: string): Call => ({ kind: "put", key, value: Buffer.from(value) });
  const swap = (value: string, expected: string | undefined): Call => ({
    kind: "compareAndSet",
    key,
    value: Buffer.from(value),
    expected: expected === undefined ? undefined : Buffer.from(expected),
  });

  it("sets, and compares before it sets", () => {
    const machine = new KeyValueMachine();
    const outcomes = machine.apply([
      entry(1, swap("1", undefined), swap("2", undefined)),
      entry(2, put("3"), swap("4", "3"), swap("5", "3")),
    ]);
    expect(outcomes.map((each) => each.map(({ refused }) => refused))).toEqual([
      [false, true],
      [false, false, true],
    ]);
    expect(String(machine.get(key))).toBe("4");
    expect(machine.revision).toBe(5);
  });

  it("is the same after its snapshot, in which nothing later shows", async () => {
    const machine = new KeyValueMachine();
    const large = { kind: "put", key: Buffer.alloc(70_000, 1), value: Buffer.alloc(70_000, 2) } as const;
    machine.apply([entry(1, put("1"), large)]);
    const before = machine.hash();
    const { chunks } = machine.snapshot();
    machine.apply([entry(2, put("2"))]);
    const restored = new KeyValueMachine();
    restored.apply([entry(9, put("9"))]);
    await restored.restore(
      (async function* () {
        yield* chunks();
      })(),
    );
    expect(restored.hash()).toBe(before);
    expect(String(restored.get(key))).toBe("1");
    expect(restored.get(large.key)).toEqual(large.value);
    restored.apply([entry(2, put("2"))]);
    expect(restored.hash()).toBe(machine.hash());
  });
});

describe("a member of its own", () => {
  let directory: string;
  let member: Member;
  let authority: string;
  let door: ReturnType<typeof createDoor>;

  beforeAll(async () => {
    directory = await mkdtemp(path.join(os.tmpdir(), "mon-raft-service-"));
    const args = ["--id", "a", "--peers", "a=127.0.0.1:0", "--data", path.join(directory, "a")];
    member = new Member(
      parseMemberOptions([...args, "--heartbeat-ms", "10", "--election-ms", "50"]),
      () => {},
    );
    await member.start((error) => {
      throw error;
    });
    door = createDoor(new Service(member)).listen(0, "127.0.0.1");
    await once(door, "listening");
    authority = `http://127.0.0.1:${(door.address() as AddressInfo).port}`;
  });
  afterAll(async () => {
    door.close();
    await member.stop();
    await rm(directory, { recursive: true });
  });

  /** One unary call. */
  const call = async (method: string, ...messages: Uint8Array[]) => {
    const session = connect(authority);
    const headers = { ":method": "POST", ":path": `/mon.tools.keyvalue.v1.KeyValue/${method}` };
    const stream = session.request(headers);
    const deframer = new Deframer(1_000_000);
    const answers: Buffer[] = [];
    let status: unknown;
    stream.on("response", (got) => (status = got["grpc-status"]));
    stream.on("trailers", (got) => (status = got["grpc-status"]));
    stream.on("data", (chunk: Buffer) => answers.push(...deframer.push(chunk)));
    stream.end(Buffer.concat(messages));
    await once(stream, "close");
    session.close();
    return { status, answers };
  };
  const key = Buffer.from("unary");

  it("answers unary calls, and those on a stream by number", async () => {
    const put = frame(encodeCall({ kind: "put", key, value: Buffer.from("1") }));
    expect(await call("Put", put)).toMatchObject({ status: "0", answers: [expect.anything()] });
    const { answers } = await call("Get", frame(encodeCall({ kind: "get", key })));
    expect(String(decodeAnswer(answers[0]!).value)).toBe("1");
    const client = new KeyValueClient(authority);
    const asked = Array.from({ length: 100 }, (_, at) =>
      client.call({ kind: "put", key: Buffer.from(`key ${at}`), value: Buffer.from(String(at)) }),
    );
    const revisions = (await Promise.all(asked)).map(({ revision }) => revision);
    expect(revisions).toEqual([...revisions].sort((a, b) => a - b));
    expect(new Set(revisions).size).toBe(100);
    const swap = { kind: "compareAndSet", key, value: Buffer.from("2") } as const;
    expect(await client.call({ ...swap, expected: Buffer.from("0") })).toMatchObject({ refused: true });
    expect(await client.call({ ...swap, expected: Buffer.from("1") })).toMatchObject({ refused: false });
    expect(String((await client.call({ kind: "get", key })).value)).toBe("2");
    await client.close();
  });

  it("makes one entry of the writes that come together", async () => {
    const client = new KeyValueClient(authority);
    const write = () => client.call({ kind: "put", key, value: Buffer.alloc(256) });
    await write();
    const before = member.status().metrics!.proposals;
    await Promise.all(Array.from({ length: 500 }, write));
    expect(member.status().metrics!.proposals - before).toBeLessThan(50);
    await client.close();
  });

  it("refuses what is no message, or none at all, and goes on", async () => {
    expect((await call("Put")).status).toBe("3");
    expect((await call("Put", frame(Buffer.from([0xff])))).status).toBe("3");
    expect((await call("Get", frame(new Uint8Array()))).status).toBe("3");
    expect((await call("Nothing", frame(new Uint8Array()))).status).toBe("12");
    const status = (await operate(authority, "Status", {}, 5_000)) as MemberStatus;
    expect(status).toMatchObject({ id: "a", raft: { role: "leader" } });
    await operate(authority, "Snapshot", {}, 5_000);
    const transfer = operate(authority, "TransferLeadership", { to: "b" }, 5_000);
    await expect(transfer).rejects.toThrow(/RAFT_TRANSFER_REFUSED/);
  });
});
