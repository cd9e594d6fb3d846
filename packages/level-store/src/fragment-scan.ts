import { blockMs, type Fragment } from "@mon/store";
import type { Database, KeyRange, Snapshot } from "./database.ts";
import { type FragmentKey, isFragmentOf, parseFragmentKey } from "./fragment-key.ts";

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
      if (parsed === undefined || !isFragmentOf(parsed, value)) {
        onDamage(describeKey(parsed));
        continue;
      }
      const { hostId, timestampMs, idHigh, idLow } = parsed;
      fragments.push({ hostId, timestampMs, idHigh, idLow, bytes: value });
    }
    yield fragments;
  }
}

function describeKey(key: FragmentKey | undefined): string {
  if (key === undefined) return "a record whose key does not pass its checksum";
  return `a report of ${key.hostId} at ${key.timestampMs} does not pass its checksum`;
}

/** The last millisecond of a block. */
export function blockEnd(blockStartMs: number): number {
  return blockStartMs + blockMs - 1;
}
