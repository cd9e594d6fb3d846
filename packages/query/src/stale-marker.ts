import type { SampleRun } from "./evaluator.ts";

/** The bits of Prometheus's stale marker: "this series has ended". */
const staleMarkerBits = 0x7ff0_0000_0000_0002n;

/** The bit that processors set when a signalling NaN, which the marker is, passes through arithmetic. */
const quietBit = 0x0008_0000_0000_0000n;

/**
 * Whether the value at an index is Prometheus's stale marker, by its bits; whether the marker was quieted on its way
 * does not matter.
 */
export function isStaleMarker(values: Float64Array, index: number): boolean {
  if (!Number.isNaN(values[index])) return false;
  const bits = new BigUint64Array(values.buffer, values.byteOffset + index * 8, 1)[0]!;
  return (bits & ~quietBit) === staleMarkerBits;
}

/** The run without stale markers; the same run when it has none. */
export function withoutStaleMarkers(run: SampleRun): SampleRun {
  const { timestampsMs, values } = run;
  let kept = 0;
  while (kept < values.length && !isStaleMarker(values, kept)) kept++;
  if (kept === values.length) return run;
  const keptTimestampsMs = timestampsMs.slice();
  const keptValues = values.slice();
  for (let i = kept + 1; i < values.length; i++) {
    if (isStaleMarker(values, i)) continue;
    keptTimestampsMs[kept] = timestampsMs[i]!;
    keptValues[kept] = values[i]!;
    kept++;
  }
  return { timestampsMs: keptTimestampsMs.subarray(0, kept), values: keptValues.subarray(0, kept) };
}
