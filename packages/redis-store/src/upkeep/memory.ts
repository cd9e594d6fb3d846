import type { Servers } from "../servers/servers.ts";
import { CommandWriter } from "../wire/command-writer.ts";

/** Bytes that all primaries use, for whatever is in them. @throws {StoreError} STORE_UNAVAILABLE */
export async function usedMemoryBytes(servers: Servers): Promise<number> {
  const each = await servers.forEachPrimary(async (primary) => {
    const commands = new CommandWriter().begin(2).text("INFO").text("memory");
    const [reply] = await primary.call(commands.take(), 1);
    const text = reply instanceof Uint8Array ? Buffer.from(reply).toString("latin1") : "";
    return Number(/^used_memory:(\d+)/m.exec(text)?.[1] ?? 0);
  });
  return each.reduce((sum, bytes) => sum + bytes, 0);
}
