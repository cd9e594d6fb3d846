import { encodeSamples } from "./encode-samples.ts";
import type { Layout } from "./layout.ts";
import { murmur3 } from "./murmur3.ts";
import type { Sample } from "./sample.ts";

/**
 * What one program said of one host at one instant: the canonical bytes of its samples, named by their hash (R1 to R3).
 * Writing a fragment twice changes nothing; fragments of one instant converge by set union.
 */
export interface Fragment {
  readonly hostId: string;
  /** The instant, in whole milliseconds since the Unix epoch. */
  readonly timestampMs: number;
  /** First 32 bits of the id; see {@link fragmentId}. */
  readonly idHigh: number;
  /** Last 32 bits of the id. */
  readonly idLow: number;
  /** Canonical bytes of the samples: field 3 of `mon.v1.Report`, repeated. Owned by whoever made the fragment. */
  readonly bytes: Uint8Array;
  /** The layout of the bytes, when whoever made the fragment knows it: then they need not be looked at again. */
  readonly layout?: Layout | undefined;
}

/** Makes the fragment of samples in any order. @throws {RangeError} as {@link encodeSamples} does */
export function fragmentFromSamples(
  hostId: string,
  timestampMs: number,
  samples: readonly Sample[],
): Fragment {
  const bytes = encodeSamples(samples);
  const id = murmur3(bytes);
  return { hostId, timestampMs, idHigh: id.high, idLow: id.low, bytes };
}

/** A fragment's id as 16 hexadecimal digits. */
export function fragmentId(fragment: Pick<Fragment, "idHigh" | "idLow">): string {
  return fragment.idHigh.toString(16).padStart(8, "0") + fragment.idLow.toString(16).padStart(8, "0");
}
