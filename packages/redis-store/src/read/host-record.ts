import { instantAt } from "../keys/fragment-field.ts";

/** One of the newest fragments of a host, each of a shape of its own but for those of one instant. */
export interface Statement {
  /** Its field in the host's hash, `s` and what tells it apart. */
  readonly field: Uint8Array;
  readonly timestampMs: number;
  readonly bytes: Uint8Array;
}

/** What the hash of a host says. */
export interface HostRecord {
  /** Empty when the host is not there. */
  readonly version: string;
  /** The newest instant; undefined when there is metadata only. */
  readonly lastSeenMs: number | undefined;
  readonly statements: readonly Statement[];
  readonly metadata: Readonly<Record<string, string>>;
}

const v = 0x76;
const t = 0x74;
const s = 0x73;
const b = 0x62;
const m = 0x6d;

/** Reads the hash of a host. @param entries - fields and values in turn */
export function readHostRecord(entries: readonly Uint8Array[]): HostRecord {
  let version = "";
  let lastSeenMs: number | undefined;
  const metadata: Record<string, string> = {};
  const instants = new Map<string, Uint8Array>();
  const bodies = new Map<string, Uint8Array>();
  const fields: Uint8Array[] = [];
  for (let i = 0; i < entries.length; i += 2) {
    const field = entries[i]!;
    const value = entries[i + 1]!;
    if (field[0] === s) {
      fields.push(field);
      instants.set(nameOf(field), value);
    } else if (field[0] === b) bodies.set(nameOf(field), value);
    else if (field[0] === v) version = bufferOf(value).toString("latin1");
    else if (field[0] === t) lastSeenMs = instantAt(value, 0);
    else if (field[0] === m) metadata[bufferOf(field).toString("utf8", 2)] = bufferOf(value).toString("utf8");
  }
  const statements: Statement[] = [];
  for (const field of fields) {
    const name = nameOf(field);
    const bytes = bodies.get(name);
    if (bytes !== undefined)
      statements.push({ field, timestampMs: instantAt(instants.get(name)!, 0), bytes });
  }
  return { version, lastSeenMs, statements, metadata };
}

function nameOf(field: Uint8Array): string {
  return bufferOf(field).toString("latin1", 1);
}

function bufferOf(bytes: Uint8Array): Buffer {
  return Buffer.from(bytes.buffer, bytes.byteOffset, bytes.length);
}
