/** Why something was rejected for good; the names are those of `mon.v1.Reason` in lower case. */
export type Reason =
  | "host_id_missing"
  | "host_id_invalid"
  | "timestamp_missing"
  | "timestamp_too_old"
  | "timestamp_too_new"
  | "samples_missing"
  | "too_many_samples"
  | "malformed"
  | "name_invalid"
  | "name_too_long"
  | "too_many_labels"
  | "label_name_invalid"
  | "label_value_invalid"
  | "label_duplicate"
  | "value_nan"
  | "value_infinite"
  | "value_out_of_range"
  | "duplicate_series"
  | "series_limit"
  | "kind_invalid";

/** Something that will never pass, and why. */
export interface Rejection {
  /** The report's place in the batch, from 0. */
  readonly reportIndex: number;
  /** The sample's place in its report, from 0; absent when the whole report is rejected. */
  readonly sampleIndex?: number;
  /** The host as sent, cut to 128 characters. */
  readonly hostId: string;
  /** The metric as sent, cut to 128 characters; empty when the whole report is rejected. */
  readonly name: string;
  readonly reason: Reason;
  /** The offending field, as a path from the batch: `reports[3].samples[0].labels[2].value`. */
  readonly field: string;
  /** What was expected and what came. */
  readonly message: string;
}
