import type { Fragment } from "@mon/store";
import { Generation } from "./generation.ts";
import { seedOf } from "./journal-file.ts";
import { entriesAt } from "./journal-record.ts";
import type { FoundFile } from "./journal-scan.ts";
import { viewOf } from "./key.ts";
import type { Slab, SlabPool } from "./slab.ts";
import type { WriterHost } from "./writer-host.ts";

/**
 * Makes the generation of a file that was found at open. Its records are copied to memory of their own, since most of
 * the file may be of an earlier use.
 *
 * @param observe - told of each fragment, whose bytes are views of that memory
 */
export function recoverGeneration(
  { file, head, bytes, records, end }: FoundFile,
  slabs: SlabPool,
  hostOf: (hostId: string) => WriterHost,
  observe: (host: WriterHost, fragment: Pick<Fragment, "hostId" | "timestampMs" | "bytes">) => void,
): Generation {
  const generation = new Generation({
    ordinal: head.ordinal,
    firstSequence: head.firstSequence,
    file: Promise.resolve(file),
    begunMs: head.createdMs,
  });
  generation.tail = { position: end, seed: seedOf(head) };
  const view = viewOf(bytes);
  let slab: Slab | undefined;
  let position = 0;
  for (const { start, head: record } of records) {
    for (const { hostId, timestampMs, bytes: fragment } of entriesAt(bytes, view, start, record)) {
      if (slab === undefined || position + fragment.length > slab.bytes.length) {
        slab = slabs.take(fragment.length);
        generation.slabs.push(slab);
        position = 0;
      }
      const copy = slab.bytes.subarray(position, position + fragment.length);
      copy.set(fragment);
      const host = hostOf(hostId);
      host.push(generation, timestampMs, position, fragment.length, undefined);
      observe(host, { hostId, timestampMs, bytes: copy });
      position += fragment.length;
    }
    generation.lastSequence = record.sequence;
  }
  generation.durableCount = generation.count;
  return generation;
}
