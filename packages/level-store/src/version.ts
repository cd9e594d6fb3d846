import { randomUUID } from "node:crypto";
import { StoreError } from "@mon/store";
import { singleKey, space } from "./key.ts";
import { jsonOfPayload, jsonPayload, unseal } from "./record.ts";

/** The layout that this code writes, and the newest that it reads. */
export const formatVersion = 2;

/** What a directory says of itself. */
export interface Version {
  readonly format: number;
  /** Names this directory's content; a directory that came back empty has another. */
  readonly storeId: string;
}

/** Where {@link Version} is kept, in every format. */
export const versionKey: Uint8Array = singleKey(space.version);

/** The version of a new directory. */
export function newVersion(): Version {
  return { format: formatVersion, storeId: randomUUID() };
}

/** The record of a directory in the present format. */
export function encodeVersion(storeId: string): Uint8Array {
  return jsonPayload({ format: formatVersion, storeId } satisfies Version);
}

/**
 * Reads a version record; undefined when it does not pass its checksum.
 *
 * @throws {StoreError} STORE_VERSION_UNKNOWN
 */
export function decodeVersion(value: Uint8Array, directory: string): Version | undefined {
  const payload = unseal(versionKey, value);
  if (payload === undefined) return undefined;
  const version = jsonOfPayload<Version>(payload);
  if (version.format <= formatVersion) return version;
  throw new StoreError(
    "STORE_VERSION_UNKNOWN",
    `${directory}: expected format ${formatVersion} or older, got ${version.format}; a newer version wrote it`,
  );
}
