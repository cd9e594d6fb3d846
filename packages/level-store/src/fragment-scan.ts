import { blockMs, type Fragment } from "@mon/store";
import type { Database, KeyRange, Snapshot } from "./database.ts";
import { parseFragmentKey } from "./fragment-key.ts";
import { unsealFragment } from "./fragment-record.ts";

/**
 * Fragments of a range of keys, each with its checksum verified. One that does not pass is not given; it is named to
 * `onDamage`. The bytes of a fragment are the caller's.
 */
export async function* scanFragments(
  database: Database,
  range: KeyRange,
  onDamage: (reason: string) => void,
  snapshot?: Snapshot,
): AsyncGenerator<Fragment[]> {
  const options = snapshot === undefined ? { onDamage } : { onDamage, snapshot };
  for await (const entries of database.scan(range, options)) {
    const fragments: Fragment[] = [];
    for (const [key, value] of entries) {
      const parsed = parseFragmentKey(key);
      const bytes = parsed && unsealFragment(key, parsed, value);
      if (parsed === undefined || bytes === undefined) onDamage(describeKey(key));
      else {
        const { hostId, timestampMs, idHigh, idLow } = parsed;
        fragments.push({ hostId, timestampMs, idHigh, idLow, bytes });
      }
    }
    yield fragments;
  }
}

function describeKey(key: Uint8Array): string {
  const parsed = parseFragmentKey(key);
  if (parsed === undefined) return "a record with an unreadable key does not pass its checksum";
  const { hostId, timestampMs } = parsed;
  return `a report of ${hostId} at ${timestampMs} does not pass its checksum`;
}

/** The last millisecond of a block. */
export function blockEnd(blockStartMs: number): number {
  return blockStartMs + blockMs - 1;
}
