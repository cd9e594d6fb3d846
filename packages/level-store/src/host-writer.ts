import { setImmediate as nextTurn } from "node:timers/promises";
import { type Catalogue, seriesKey } from "@mon/store";
import type { Batch } from "./batch.ts";
import type { BatchLog } from "./batch-log.ts";
import { catalogueKey, encodeHostState, encodeSeries } from "./host-record.ts";
import type { Journal } from "./journal.ts";
import { hostKey, space } from "./key.ts";
import { sealed } from "./record.ts";
import type { WriterHost } from "./writer-host.ts";

/** What is written of hosts. */
export interface HostWriterDeps {
  readonly catalogue: Catalogue;
  readonly hosts: ReadonlyMap<string, WriterHost>;
  readonly journal: Journal;
  readonly batches: BatchLog;
}

/** Records that are encoded in one turn; more would hold up the event loop. */
const recordsPerTurn = 256;
/** Bytes of host records in one batch: records are small, and each costs a call. */
const batchBytes = 128 * 1024;

/**
 * Writes what is known of hosts: series that have no record yet, and last values. The catalogue is ahead of the journal;
 * so each batch waits until all that it may tell of is durable there.
 */
export async function writeHosts(deps: HostWriterDeps, hostIds: Iterable<string>): Promise<void> {
  let records: [Uint8Array, Uint8Array][] = [];
  let bytes = 0;
  let encoded = 0;
  const flush = async (): Promise<void> => {
    const flushed = records;
    records = [];
    bytes = 0;
    await deps.journal.flush();
    await deps.batches.append((batch) => putAll(batch, flushed));
  };
  for (const hostId of hostIds) {
    for (const record of recordsOf(deps, hostId)) {
      records.push(record);
      bytes += record[0].length + record[1].length;
      if (bytes >= batchBytes) await flush();
      else if (++encoded % recordsPerTurn === 0) await nextTurn();
    }
  }
  if (records.length > 0) await flush();
}

function putAll(batch: Batch, records: readonly [Uint8Array, Uint8Array][]): void {
  for (const [key, value] of records) batch.putSealed(key, value);
}

function* recordsOf(
  { catalogue, hosts }: HostWriterDeps,
  hostId: string,
): Generator<[Uint8Array, Uint8Array]> {
  const state = catalogue.host(hostId);
  if (state === undefined) return;
  const host = hosts.get(hostId);
  if (host !== undefined) {
    const unrecorded = host.unrecorded;
    // When the batch fails everything is read back.
    host.unrecorded = [];
    for (const series of unrecorded) {
      if (!state.series.has(series)) continue;
      const key = catalogueKey(hostId, seriesKey(series));
      yield [key, sealed(key, encodeSeries(series))];
    }
  }
  const key = hostKey(space.latest, hostId);
  yield [key, sealed(key, encodeHostState(state))];
}
