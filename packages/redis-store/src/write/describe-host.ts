import { StoreError } from "@mon/store";
import type { KeySpace } from "../keys/key-space.ts";
import type { Servers } from "../servers/servers.ts";
import { slotOf } from "../servers/slot.ts";
import { CommandWriter } from "../wire/command-writer.ts";
import { ReplyError } from "../wire/reply.ts";
import { describeScript } from "./scripts.ts";

/** What is to be known of a host besides its data. */
export interface HostDescription {
  readonly hostId: string;
  readonly metadata: Readonly<Record<string, string>>;
  readonly nowMs: number;
  /** When it is forgotten, unless newer data comes; undefined for never. */
  readonly expireAtMs: number | undefined;
}

/** Sets metadata of a host; names that are not given stay as they are. @throws {StoreError} STORE_UNAVAILABLE */
export async function describeHost(
  { servers, keys }: { readonly servers: Servers; readonly keys: KeySpace },
  { hostId, metadata, nowMs, expireAtMs }: HostDescription,
): Promise<void> {
  const entries = Object.entries(metadata);
  const commands = new CommandWriter();
  commands
    .begin(6 + 2 * entries.length)
    .text("EVALSHA")
    .text(describeScript.sha)
    .text("1")
    .text(keys.host(hostId))
    .integer(nowMs * 1_000)
    .text(expireAtMs === undefined ? "" : String(expireAtMs));
  for (const [name, value] of entries) commands.bytes(Buffer.from(`m:${name}`)).bytes(Buffer.from(value));
  const [outcome] = await servers.send([{ slot: slotOf(hostId), commands: commands.take(), count: 1 }]);
  if (outcome!.error !== undefined) throw outcome!.error;
  const [reply] = outcome!.replies;
  if (reply instanceof ReplyError)
    throw new StoreError("STORE_UNAVAILABLE", `expected to describe ${hostId}, got: ${reply.message}`);
}
