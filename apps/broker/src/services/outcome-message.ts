import { create } from "@bufbuild/protobuf";
import type { Outcome, Reason, Rejection } from "@mon/intake";
import {
  Durability,
  type Outcome as OutcomeMessage,
  OutcomeSchema,
  Reason as ReasonMessage,
  RejectionSchema,
} from "@mon/proto";
import type { Durability as StoreDurability } from "@mon/store";

/** Rejections that an outcome spells out. */
const rejectionsMax = 1_000;

const durabilities: Record<StoreDurability, Durability> = {
  memory: Durability.MEMORY,
  process: Durability.PROCESS,
  fsync: Durability.FSYNC,
};

const reasons: Record<Reason, ReasonMessage> = {
  host_id_missing: ReasonMessage.HOST_ID_MISSING,
  host_id_invalid: ReasonMessage.HOST_ID_INVALID,
  timestamp_missing: ReasonMessage.TIMESTAMP_MISSING,
  timestamp_too_old: ReasonMessage.TIMESTAMP_TOO_OLD,
  timestamp_too_new: ReasonMessage.TIMESTAMP_TOO_NEW,
  samples_missing: ReasonMessage.SAMPLES_MISSING,
  too_many_samples: ReasonMessage.TOO_MANY_SAMPLES,
  malformed: ReasonMessage.MALFORMED,
  name_invalid: ReasonMessage.NAME_INVALID,
  name_too_long: ReasonMessage.NAME_TOO_LONG,
  too_many_labels: ReasonMessage.TOO_MANY_LABELS,
  label_name_invalid: ReasonMessage.LABEL_NAME_INVALID,
  label_value_invalid: ReasonMessage.LABEL_VALUE_INVALID,
  label_duplicate: ReasonMessage.LABEL_DUPLICATE,
  value_nan: ReasonMessage.VALUE_NAN,
  value_infinite: ReasonMessage.VALUE_INFINITE,
  value_out_of_range: ReasonMessage.VALUE_OUT_OF_RANGE,
  duplicate_series: ReasonMessage.DUPLICATE_SERIES,
  series_limit: ReasonMessage.SERIES_LIMIT,
  kind_invalid: ReasonMessage.KIND_INVALID,
};

/** A store's durability, as the wire names it. */
export function durabilityMessage(durability: StoreDurability | undefined): Durability {
  return durability === undefined ? Durability.UNSPECIFIED : durabilities[durability];
}

/** A reason, as the wire names it. */
export function reasonMessage(reason: Reason): ReasonMessage {
  return reasons[reason];
}

/** An outcome, as it goes to an agent. */
export function outcomeMessage(outcome: Outcome): OutcomeMessage {
  return create(OutcomeSchema, {
    reportsStored: outcome.reportsStored,
    samplesStored: outcome.samplesStored,
    durability: durabilityMessage(outcome.durability),
    copies: outcome.copies,
    rejections: outcome.rejections.slice(0, rejectionsMax).map(rejectionMessage),
    rejectionsOmitted: Math.max(0, outcome.rejections.length - rejectionsMax),
    refusals: outcome.refusals.map(({ reportIndex, message }) => ({ reportIndex, message })),
    retryDelayMs: outcome.retryDelayMs,
  });
}

function rejectionMessage(rejection: Rejection) {
  const { reportIndex, sampleIndex, hostId, name, reason, field, message } = rejection;
  return create(RejectionSchema, {
    reportIndex,
    ...(sampleIndex !== undefined && { sampleIndex }),
    hostId,
    name,
    reason: reasons[reason],
    field,
    message,
  });
}
