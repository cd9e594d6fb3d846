import { decodeSamples, encodeSamples, Kind, murmur3, type Series } from "@mon/store";

/** A series as the hash of a host's series has it. */
export interface SeriesEntry {
  /** Its id: 64 bits of a hash of its name and labels, as eight characters of Latin-1. */
  readonly id: string;
  readonly kind: Kind;
  /** The kind as a byte, then the series as the canonical bytes of a sample whose value is 0 (R2). */
  readonly value: Buffer;
}

export function seriesEntry(series: Series): SeriesEntry {
  const { name, labels, kind } = series;
  const nameless = encodeSamples([{ name, labels, kind: Kind.unspecified, value: 0, flags: 0 }]);
  const body = encodeSamples([{ name, labels, kind, value: 0, flags: 0 }]);
  const value = Buffer.allocUnsafe(1 + body.length);
  value[0] = kind;
  value.set(body, 1);
  return { id: idText(nameless), kind, value };
}

/** @throws {StoreError} STORE_FRAGMENT_INVALID when it is no entry of ours */
export function seriesOfEntry(value: Uint8Array): Series {
  const [sample] = decodeSamples(value.subarray(1));
  const { name, labels, kind } = sample!;
  return { name, labels, kind };
}

/** The 64-bit hash of some bytes, as eight characters of Latin-1. */
export function idText(bytes: Uint8Array): string {
  const { high, low } = murmur3(bytes);
  const id = Buffer.allocUnsafe(8);
  id.writeUInt32BE(high, 0);
  id.writeUInt32BE(low, 4);
  return id.toString("latin1");
}
