import { type HostRecord, recordOfRow, rowOf } from "./host-record.ts";

/** A change of what brokers agree on of hosts. Many at once: one entry of the log costs a sync, whatever is in it. */
export interface HostsCommand {
  /** The proposer's clock. Of two words on a host the later holds, in whatever order they come. */
  readonly atMs: number;
  readonly put: readonly HostRecord[];
  /** Keys of hosts that are gone. */
  readonly forget: readonly string[];
}

/** The version of commands that this code writes and reads. */
export const hostsCommandVersion = 1;
/** Hosts a command may be about. */
export const hostsPerCommandMax = 1_000;

/** The bytes of a command: JSON, one list a host. */
export function encodeHostsCommand({ atMs, put, forget }: HostsCommand): Uint8Array {
  return Buffer.from(JSON.stringify([hostsCommandVersion, atMs, put.map(rowOf), forget]));
}

/** What the bytes of an entry say. */
export type DecodedHostsCommand =
  | { readonly is: "command"; readonly command: HostsCommand }
  | { readonly is: "newer"; readonly version: number }
  | { readonly is: "malformed"; readonly reason: string };

/** Reads the bytes of an entry. Never throws. */
export function decodeHostsCommand(bytes: Uint8Array): DecodedHostsCommand {
  let json: unknown;
  try {
    json = JSON.parse(Buffer.from(bytes).toString());
  } catch (error) {
    return { is: "malformed", reason: String(error) };
  }
  if (!Array.isArray(json) || !Number.isSafeInteger(json[0]))
    return { is: "malformed", reason: "expected a list that begins with a version" };
  const [version, atMs, rows, forget] = json;
  if (version > hostsCommandVersion) return { is: "newer", version };
  if (!Number.isSafeInteger(atMs) || !Array.isArray(rows) || !Array.isArray(forget))
    return { is: "malformed", reason: "expected a time, records and keys" };
  if (rows.length + forget.length > hostsPerCommandMax)
    return {
      is: "malformed",
      reason: `expected at most ${hostsPerCommandMax} hosts, got ${rows.length + forget.length}`,
    };
  const put = rows.map(recordOfRow);
  const bad = put.indexOf(undefined);
  if (bad !== -1) return { is: "malformed", reason: `expected a record of a host at ${bad}` };
  if (!forget.every((key) => typeof key === "string"))
    return { is: "malformed", reason: "expected keys of hosts" };
  return { is: "command", command: { atMs, put: put.filter((each) => each !== undefined), forget } };
}
