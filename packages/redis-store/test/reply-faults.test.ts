import { expect, test } from "vitest";
import { faultOf, redirectionOf, stateErrorIn } from "../src/servers/reply-faults.ts";
import { ReplyError } from "../src/wire/reply.ts";

test("the cause is found beside its consequence, and within a transaction's replies", () => {
  const oom = new ReplyError("OOM command not allowed when used memory > 'maxmemory'.");
  const aborted = new ReplyError("EXECABORT Transaction discarded because of previous errors.");
  const own = new ReplyError("WRONGTYPE Operation against a key holding the wrong kind of value");
  expect(stateErrorIn(["OK", oom, aborted], 0, 3)?.error).toBe(oom);
  expect(stateErrorIn(["OK", "QUEUED", ["OK", own, [oom]]], 0, 3)?.error).toBe(oom);
  expect(stateErrorIn(["OK", own, aborted], 0, 3)).toBeUndefined();
  expect(stateErrorIn(["OK", own, null, new Uint8Array(), 7, []], 0, 6)).toBeUndefined();
  expect(stateErrorIn([oom, "OK"], 1, 2)).toBeUndefined();
});

test("before Redis 7 an error within a script is quoted in another", () => {
  const quoted = new ReplyError(
    "ERR Error running script (call to f_2fd): @user_script:1: @user_script: 1: -OOM command not allowed when used memory > 'maxmemory'. ",
  );
  expect(faultOf(quoted)?.fault).toBe("out-of-memory");
  expect(
    faultOf(new ReplyError("ERR Error running script (call to f_2fd): @user_script:1: wrong")),
  ).toBeUndefined();
  expect(faultOf(new ReplyError("ERR value is not an integer or out of range"))).toBeUndefined();
});

test("redirections name a slot and a server, the asked host when they leave it out", () => {
  const moved = (text: string) => redirectionOf(new ReplyError(text), "asked");
  expect(moved("MOVED 3999 127.0.0.1:6381")).toEqual({ slot: 3999, host: "127.0.0.1", port: 6381 });
  expect(moved("ASK 3999 ::1:6381")).toEqual({ slot: 3999, host: "::1", port: 6381 });
  expect(moved("MOVED 3999 :6381")).toEqual({ slot: 3999, host: "asked", port: 6381 });
  expect(moved("TRYAGAIN Multiple keys request during rehashing of slot")).toBeUndefined();
});
