import {
  type Catalogue,
  compareSamples,
  decodeSamples,
  encodeSamples,
  type HostState,
  type Kind,
  type LatestSample,
  type Series,
  type SeriesColumn,
  seriesKey,
} from "@mon/store";
import { getInteger, hostKey, putInteger, space, viewOf } from "./key.ts";
import { jsonOfPayload, jsonPayload } from "./record.ts";

/** Samples of one instant. */
interface Instant {
  readonly timestampMs: number;
  readonly bytes: Uint8Array;
}

/** The payload of a host's `l` record: when it was last seen, its shapes, and the settled last values by instant. */
export function encodeHostState(host: HostState): Uint8Array {
  const settled = Map.groupBy(host.settled.values(), (sample) => sample.timestampMs);
  const instants: Instant[] = [...host.shapes];
  for (const [timestampMs, samples] of settled) {
    instants.push({ timestampMs, bytes: encodeSamples(samples) });
  }
  const bytes = new Uint8Array(instants.reduce((size, instant) => size + 12 + instant.bytes.length, 12));
  const view = viewOf(bytes);
  putInteger(view, 0, host.lastSeenMs);
  view.setUint32(8, host.shapes.length);
  let position = 12;
  for (const instant of instants) {
    putInteger(view, position, instant.timestampMs);
    view.setUint32(position + 8, instant.bytes.length);
    bytes.set(instant.bytes, position + 12);
    position += 12 + instant.bytes.length;
  }
  return bytes;
}

/** Puts what {@link encodeHostState} kept into a catalogue that has nothing of the host's state yet. */
export function restoreHostState(catalogue: Catalogue, hostId: string, payload: Uint8Array): void {
  const host = catalogue.ensureHost(hostId);
  const view = viewOf(payload);
  host.lastSeenMs = Math.max(host.lastSeenMs, getInteger(view, 0));
  let shapesLeft = view.getUint32(8);
  for (let position = 12; position < payload.length; ) {
    const timestampMs = getInteger(view, position);
    const end = position + 12 + view.getUint32(position + 8);
    // The record may be a view of a larger one.
    const bytes = payload.slice(position + 12, end);
    if (shapesLeft-- > 0) catalogue.addShape(host, timestampMs, bytes);
    else for (const sample of decodeSamples(bytes)) settle(host, { ...sample, timestampMs });
    position = end;
  }
}

function settle(host: HostState, sample: LatestSample): void {
  host.settled.set(seriesKey(sample), sample);
}

/** Moves a series' last value forward to that of a column. */
export function noteLastValues(host: HostState, { series, timestampsMs, values, flags }: SeriesColumn): void {
  const index = timestampsMs.length - 1;
  if (index < 0) return;
  const timestampMs = timestampsMs[index]!;
  host.lastSeenMs = Math.max(host.lastSeenMs, timestampMs);
  const value = values[index]!;
  const words = new Uint32Array(values.buffer, values.byteOffset + 8 * index, 2);
  const nan = Number.isNaN(value) ? { nan: { high: words[1]!, low: words[0]! } } : {};
  const sample = { ...series, value, ...nan, flags: flags[index]!, timestampMs };
  const known = host.settled.get(seriesKey(series));
  const isNewer =
    known === undefined ||
    timestampMs > known.timestampMs ||
    (timestampMs === known.timestampMs && compareSamples(sample, known) > 0);
  if (isNewer) settle(host, sample);
}

/** The key of a series' `c` record. */
export function catalogueKey(hostId: string, key: string): Uint8Array {
  return hostKey(space.catalogue, hostId, key);
}

type SeriesRecord = [name: string, labels: [name: string, value: string][], kind: Kind];

/** The payload of a series' `c` record. */
export function encodeSeries({ name, labels, kind }: Series): Uint8Array {
  const record: SeriesRecord = [name, labels.map((label) => [label.name, label.value]), kind];
  return jsonPayload(record);
}

/** Adds a series of a `c` record to a catalogue. */
export function restoreSeries(catalogue: Catalogue, host: HostState, payload: Uint8Array): void {
  const [name, labels, kind] = jsonOfPayload<SeriesRecord>(payload);
  const series = { name, labels: labels.map(([label, value]) => ({ name: label, value })), kind };
  catalogue.addSeries(host, series);
}
