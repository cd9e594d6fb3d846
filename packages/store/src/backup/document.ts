import { invalidAt } from "./backup-error.ts";
import type { BackupCounts, BackupHeader } from "./summary.ts";

/** What a backup keeps of a host besides its data. */
export interface HostDocument {
  readonly hostId: string;
  /** Its newest instant when the backup was made; 0 when it had metadata only. */
  readonly lastSeenMs: number;
  readonly metadata: Readonly<Record<string, string>>;
}

/** What the last frame says: the counts, and a checksum of everything before. */
export interface TrailerDocument extends BackupCounts {
  readonly sha256: string;
}

const textEncoder = new TextEncoder();
const textDecoder = new TextDecoder("utf-8", { fatal: true });

/** Encodes what a frame says in JSON. */
export function encodeDocument(
  document: BackupHeader | TrailerDocument | readonly HostDocument[],
): Uint8Array {
  return textEncoder.encode(JSON.stringify(document));
}

/** @throws {BackupError} */
export function decodeHeader(bytes: Uint8Array, offset: number): BackupHeader {
  const { createdAtMs, monVersion, storeKind, storeId, brokerId } = fieldsOf(bytes, offset);
  const isHeader =
    typeof createdAtMs === "number" &&
    typeof monVersion === "string" &&
    typeof storeKind === "string" &&
    typeof storeId === "string" &&
    typeof brokerId === "string";
  if (!isHeader) throw invalidAt(offset, "a header", "another document");
  return { createdAtMs, monVersion, storeKind, storeId, brokerId };
}

/** @throws {BackupError} */
export function decodeHosts(bytes: Uint8Array, offset: number): readonly HostDocument[] {
  const hosts = jsonOf(bytes, offset);
  if (!Array.isArray(hosts) || !hosts.every(isHost)) throw invalidAt(offset, "hosts", "another document");
  return hosts;
}

/** @throws {BackupError} */
export function decodeTrailer(bytes: Uint8Array, offset: number): TrailerDocument {
  const { sha256, partitions, partitionsDamaged, fragments, hosts, startMs, endMs } = fieldsOf(bytes, offset);
  const isTrailer =
    typeof sha256 === "string" &&
    typeof partitions === "number" &&
    typeof partitionsDamaged === "number" &&
    typeof fragments === "number" &&
    typeof hosts === "number" &&
    (startMs === null || typeof startMs === "number") &&
    (endMs === null || typeof endMs === "number");
  if (!isTrailer) throw invalidAt(offset, "a trailer", "another document");
  return { sha256, partitions, partitionsDamaged, fragments, hosts, startMs, endMs };
}

function isHost(value: unknown): value is HostDocument {
  if (typeof value !== "object" || value === null) return false;
  const { hostId, lastSeenMs, metadata } = value as Readonly<Record<string, unknown>>;
  return (
    typeof hostId === "string" &&
    typeof lastSeenMs === "number" &&
    typeof metadata === "object" &&
    metadata !== null &&
    Object.values(metadata).every((text) => typeof text === "string")
  );
}

function fieldsOf(bytes: Uint8Array, offset: number): Readonly<Record<string, unknown>> {
  const document = jsonOf(bytes, offset);
  if (typeof document === "object" && document !== null) return document as Readonly<Record<string, unknown>>;
  throw invalidAt(offset, "a document", "something else");
}

function jsonOf(bytes: Uint8Array, offset: number): unknown {
  try {
    return JSON.parse(textDecoder.decode(bytes));
  } catch (cause) {
    throw invalidAt(offset, "a document in JSON", "something else", cause);
  }
}
