import { setTimeout as delay } from "node:timers/promises";
import { onTestFinished } from "vitest";
import type { RedisDeployment } from "../../../../tools/redis/deployment.ts";
import type { RedisServer } from "../../../../tools/redis/redis-server.ts";
import type { ServersOptions } from "../../src/options.ts";
import { openServers, type ServersDeps } from "../../src/servers/redis-servers.ts";
import type { Servers, SlotBatch, SlotOutcome } from "../../src/servers/servers.ts";
import { slotOf } from "../../src/servers/slot.ts";
import { CommandWriter } from "../../src/wire/command-writer.ts";
import { Link, type ServerAddress } from "../../src/wire/link.ts";
import { type Reply, ReplyError } from "../../src/wire/reply.ts";

/** What a program would configure for a deployment. */
export function optionsOf({ kind, addresses, masterName }: RedisDeployment): ServersOptions {
  switch (kind) {
    case "standalone":
      return { url: `redis://${addresses[0]}` };
    case "sentinel":
      return { sentinels: addresses, ...(masterName === undefined ? {} : { masterName }) };
    case "cluster":
      return { cluster: addresses };
  }
}

/** Opens servers until the test ends. */
export async function open(
  deployment: RedisDeployment,
  options: ServersOptions = {},
  deps?: ServersDeps,
): Promise<Servers> {
  const servers = await openServers({ ...optionsOf(deployment), ...options }, deps);
  onTestFinished(() => servers.close());
  return servers;
}

/** Commands as one would type them; arguments hold no spaces. */
export function encoded(...lines: string[]): { commands: Uint8Array; count: number } {
  const writer = new CommandWriter();
  for (const line of lines) {
    const parts = line.split(" ");
    writer.begin(parts.length);
    for (const part of parts) writer.text(part);
  }
  const count = writer.commands;
  return { commands: writer.take(), count };
}

/** A batch on keys that have this hash tag. */
export function batch(tag: string, ...lines: string[]): SlotBatch {
  return { slot: slotOf(tag), ...encoded(...lines) };
}

/** Sends one batch. */
export async function send(
  servers: Servers,
  tag: string,
  lines: readonly string[],
  options: Partial<SlotBatch> = {},
): Promise<SlotOutcome> {
  const [outcome] = await servers.send([{ ...batch(tag, ...lines), ...options }]);
  return outcome!;
}

/** Asks a server past everything that is tested. @throws on an error reply */
export async function admin(server: RedisServer, ...parts: string[]): Promise<Reply> {
  const link = await Link.open(
    { host: "127.0.0.1", port: server.port },
    { name: "admin", connectTimeoutMs: 5000, replyTimeoutMs: 20_000, bulkBytesMax: 1024 * 1024 },
  );
  try {
    const writer = new CommandWriter().begin(parts.length);
    for (const part of parts) writer.bytes(Buffer.from(part));
    const [reply] = await link.send(writer.take(), 1);
    if (reply instanceof ReplyError) throw new Error(`${parts.join(" ")}: ${reply.message}`);
    return reply!;
  } finally {
    link.close();
  }
}

/** A bulk string as text. */
export function textOf(reply: Reply): string {
  if (!(reply instanceof Uint8Array)) throw new TypeError(`expected a bulk string, got ${String(reply)}`);
  return Buffer.from(reply).toString();
}

/** Asks until it holds: Redis tells nobody when it has. */
export async function until(
  what: string,
  holds: () => Promise<boolean> | boolean,
  withinMs = 15_000,
): Promise<void> {
  const end = performance.now() + withinMs;
  while (!(await holds())) {
    if (performance.now() > end) throw new Error(`expected ${what} within ${withinMs} ms`);
    await delay(5);
  }
}

/** Sends a batch again, as told, until it is done. */
export async function persist(
  servers: Servers,
  tag: string,
  lines: readonly string[],
  options: Partial<SlotBatch> = {},
): Promise<void> {
  await until("the batch to be done", async () => {
    const { error } = await send(servers, tag, lines, options);
    if (error === undefined) return true;
    if (!error.isRetryable) throw error;
    await delay(Math.min(50, error.retryDelayMs));
    return false;
  });
}

/** The server of a deployment that listens there. */
export function serverAt(deployment: RedisDeployment, { port }: ServerAddress): RedisServer {
  const server = deployment.servers.find((one) => one.port === port);
  if (server === undefined) throw new Error(`expected a server on port ${port}`);
  return server;
}
