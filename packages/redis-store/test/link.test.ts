import { createServer } from "node:net";
import { afterAll, beforeAll, expect, test } from "vitest";
import { type RedisDeployment, startDeployment } from "../../../tools/redis/deployment.ts";
import { CommandWriter } from "../src/wire/command-writer.ts";
import { Link, type LinkOptions } from "../src/wire/link.ts";
import { ReplyError } from "../src/wire/reply.ts";

const options: LinkOptions = {
  name: "test",
  connectTimeoutMs: 5000,
  replyTimeoutMs: 5000,
  bulkBytesMax: 64 * 1024 * 1024,
};

let deployment: RedisDeployment;

beforeAll(async () => {
  deployment = await startDeployment("standalone", { directives: { requirepass: "s3cret" } });
});

afterAll(async () => {
  await deployment.stop();
});

function address() {
  return { host: "127.0.0.1", port: deployment.servers[0]!.port };
}

function open(more: Partial<LinkOptions> = {}): Promise<Link> {
  return Link.open(address(), { ...options, password: "s3cret", ...more });
}

function commands(...lines: string[]): [Uint8Array, number] {
  const writer = new CommandWriter();
  for (const line of lines) {
    const parts = line.split(" ");
    writer.begin(parts.length);
    for (const part of parts) writer.text(part);
  }
  return [writer.take(), lines.length];
}

test("batches are answered in order, errors among the replies", async () => {
  const link = await open();
  const [first, second] = await Promise.all([
    link.send(...commands("SET a 1", "INCR a", "LPUSH a x")),
    link.send(...commands("GET a", "GET nothing")),
  ]);
  expect(first.slice(0, 2)).toEqual(["OK", 2]);
  expect(first[2]).toBeInstanceOf(ReplyError);
  expect(first[2]).toMatchObject({ code: "WRONGTYPE" });
  expect(second).toEqual([new TextEncoder().encode("2"), null]);
  link.close();
});

test("a batch of 100,000 commands and a bulk string of 10 MB come through", async () => {
  const link = await open();
  const replies = await link.send(...commands(...Array.from({ length: 100_000 }, () => "INCR counter")));
  expect(replies).toHaveLength(100_000);
  expect(replies.at(-1)).toBe(100_000);
  const large = new Uint8Array(10_000_000).fill(7);
  const writer = new CommandWriter().begin(3).text("SET").text("large").bytes(large);
  await link.send(writer.take(), 1);
  const [back] = await link.send(...commands("GET large"));
  expect(Buffer.compare(back as Uint8Array, large)).toBe(0);
  link.close();
});

test("a wrong password is a refusal, a missing server a closed link", async () => {
  await expect(open({ password: "wrong" })).rejects.toMatchObject({ code: "LINK_REFUSED" });
  await expect(Link.open(address(), options)).rejects.toMatchObject({ code: "LINK_REFUSED" });
  const port = 1;
  await expect(Link.open({ host: "127.0.0.1", port }, options)).rejects.toMatchObject({
    code: "LINK_CLOSED",
  });
});

test("a link that the server cuts fails what is under way and what comes after", async () => {
  const link = await open();
  const other = await open();
  const pending = link.send(...commands("BLPOP nothing-here 0"));
  await other.send(...commands("CLIENT KILL TYPE normal SKIPME yes"));
  await expect(pending).rejects.toMatchObject({ code: "LINK_CLOSED" });
  expect(link.isOpen).toBe(false);
  await expect(link.send(...commands("PING"))).rejects.toMatchObject({ code: "LINK_CLOSED" });
  expect((await link.ended).message).toContain("127.0.0.1");
  other.close();
});

test("a server that does not answer in time is cut off", async () => {
  const link = await open({ replyTimeoutMs: 200 });
  deployment.servers[0]!.signal("SIGSTOP");
  try {
    await expect(link.send(...commands("PING"))).rejects.toMatchObject({ code: "LINK_TIMEOUT" });
  } finally {
    deployment.servers[0]!.signal("SIGCONT");
  }
});

test("a server that answers one after the other in time is not, however long the last has waited", async () => {
  const link = await open({ replyTimeoutMs: 1000 });
  // As WAIT does it, each holds up the next.
  const batches = Array.from({ length: 4 }, () => link.send(...commands("BLPOP nothing-here 0.3")));
  expect(await Promise.all(batches)).toEqual([[null], [null], [null], [null]]);
  link.close();
});

test("a link uses the database and the name that it is told to", async () => {
  const link = await open({ database: 3, name: "somebody" });
  await link.send(...commands("SET only-in-3 1"));
  const [name] = await link.send(...commands("CLIENT GETNAME"));
  expect(Buffer.from(name as Uint8Array).toString()).toBe("somebody");
  const other = await open();
  expect(await other.send(...commands("EXISTS only-in-3", "SELECT 3", "EXISTS only-in-3"))).toEqual([
    0,
    "OK",
    1,
  ]);
  await expect(open({ database: 9999 })).rejects.toMatchObject({ code: "LINK_REFUSED" });
  link.close();
  other.close();
});

test("connecting ends with its deadline and with its signal", async () => {
  const silent = createServer(() => {});
  await new Promise<void>((resolve) => silent.listen(0, "127.0.0.1", resolve));
  const { port } = silent.address() as { port: number };
  const silentAddress = { host: "127.0.0.1", port };
  await expect(Link.open(silentAddress, { ...options, connectTimeoutMs: 100 })).rejects.toMatchObject({
    code: "LINK_TIMEOUT",
  });
  const reason = new Error("enough");
  const controller = new AbortController();
  const opening = Link.open(silentAddress, options, controller.signal);
  controller.abort(reason);
  await expect(opening).rejects.toBe(reason);
  silent.close();
});

test("a peer that does not speak RESP is cut off", async () => {
  const other = createServer((socket) => socket.write("HTTP/1.1 400 Bad Request\r\n"));
  await new Promise<void>((resolve) => other.listen(0, "127.0.0.1", resolve));
  const { port } = other.address() as { port: number };
  await expect(Link.open({ host: "127.0.0.1", port }, options)).rejects.toMatchObject({
    code: "LINK_CLOSED",
  });
  other.close();
});
