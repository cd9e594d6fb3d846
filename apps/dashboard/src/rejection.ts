import { Reason } from "@mon/proto";

/** What a reason for a rejection means, and what to do about it. */
export interface Advice {
  readonly title: string;
  readonly remedy: string;
}

const ADVICE: Readonly<Record<number, Advice>> = {
  [Reason.HOST_ID_MISSING]: { title: "Host id missing", remedy: "Set hostId in every report." },
  [Reason.HOST_ID_INVALID]: {
    title: "Host id invalid",
    remedy: "Use letters, digits, dot, dash and underscore; start with a letter or digit; at most 128.",
  },
  [Reason.TIMESTAMP_MISSING]: {
    title: "Timestamp missing",
    remedy: "Set timestampMs or time in every report.",
  },
  [Reason.TIMESTAMP_TOO_OLD]: {
    title: "Timestamp too old",
    remedy: "It is past raw retention. Check the sender's clock, or lengthen the retention.",
  },
  [Reason.TIMESTAMP_TOO_NEW]: {
    title: "Timestamp too far ahead",
    remedy: "It is more than ten minutes ahead of this broker. Check both clocks.",
  },
  [Reason.SAMPLES_MISSING]: { title: "No samples", remedy: "Send at least one sample in each report." },
  [Reason.TOO_MANY_SAMPLES]: { title: "Too many samples", remedy: "Send at most 10,000 samples in a batch." },
  [Reason.MALFORMED]: {
    title: "Malformed message",
    remedy: "The bytes are no valid batch. Check the sender's encoding and version.",
  },
  [Reason.NAME_INVALID]: {
    title: "Metric name invalid",
    remedy: "Use letters, digits, underscore and colon; do not start with a digit.",
  },
  [Reason.NAME_TOO_LONG]: { title: "Metric name too long", remedy: "Keep names within 1,024 bytes." },
  [Reason.TOO_MANY_LABELS]: { title: "Too many labels", remedy: "Use at most 32 labels on a sample." },
  [Reason.LABEL_NAME_INVALID]: {
    title: "Label name invalid",
    remedy: "Use letters, digits and underscore; names that start with __ are reserved.",
  },
  [Reason.LABEL_VALUE_INVALID]: {
    title: "Label value invalid",
    remedy: "Send valid UTF-8 of at most 2,048 bytes.",
  },
  [Reason.LABEL_DUPLICATE]: { title: "Label twice", remedy: "Use each label name once on a sample." },
  [Reason.VALUE_NAN]: {
    title: "Value is NaN",
    remedy: "Leave the sample out when there is nothing to report.",
  },
  [Reason.VALUE_INFINITE]: {
    title: "Value is infinite",
    remedy: "Leave the sample out, or send a finite value.",
  },
  [Reason.VALUE_OUT_OF_RANGE]: {
    title: "Value out of range",
    remedy: "It is outside the range that a rule sets for its metric. Check the sensor or the rule.",
  },
  [Reason.DUPLICATE_SERIES]: {
    title: "Series twice in a report",
    remedy: "Tell the samples apart by a label, or send one of them.",
  },
  [Reason.SERIES_LIMIT]: {
    title: "Too many series",
    remedy: "The host has 50,000 series. Look for a label that holds ids or times.",
  },
  [Reason.KIND_INVALID]: { title: "Kind unknown", remedy: "Use KIND_GAUGE or KIND_COUNTER." },
};

/** What a reason means, and what to do about it; a reason of a newer broker is named by its number. */
export function adviceFor(reason: number): Advice {
  return ADVICE[reason] ?? { title: `Reason ${reason}`, remedy: "Update this page to learn what it means." };
}
