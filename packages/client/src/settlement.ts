import { type Outcome, Reason, type Rejection } from "@mon/proto";
import type { Count } from "./ledger.ts";

/** What an outcome means for the reports of its batch. */
export interface Settlement {
  /** Reports of which something is stored, and the samples stored. */
  readonly acked: Count;
  /** Reports of which nothing will be stored, and the samples rejected, of those reports or of others. */
  readonly rejected: Count;
  /** Places in the batch of the reports to send again, ascending. */
  readonly refused: readonly number[];
  /** Why samples or reports were rejected; none of a refused report, because it will be judged again. */
  readonly rejections: readonly Rejection[];
}

/**
 * Reads an outcome. Whatever it names neither as rejected nor as refused is stored; places outside the batch are
 * ignored and a sample that is named twice counts once, so that the parts always add up to the batch.
 *
 * A broker lists at most 1,000 rejections. When it left some out, its totals say how much was stored, held to what the
 * list allows.
 *
 * @param sampleCounts - samples of each report, in the order of the batch
 */
export function settlementOf(sampleCounts: readonly number[], outcome: Outcome): Settlement {
  const batchRejection = outcome.rejections.find(isOfBatch);
  if (batchRejection !== undefined) {
    return {
      acked: { reports: 0, samples: 0 },
      rejected: { reports: sampleCounts.length, samples: sampleCounts.reduce((sum, n) => sum + n, 0) },
      refused: [],
      rejections: outcome.rejections,
    };
  }

  const refused = new Set<number>();
  for (const refusal of outcome.refusals) {
    if (refusal.reportIndex < sampleCounts.length) refused.add(refusal.reportIndex);
  }
  const rejections = outcome.rejections.filter(
    ({ reportIndex }) => reportIndex < sampleCounts.length && !refused.has(reportIndex),
  );
  const rejectedOf = rejectedSamples(sampleCounts, rejections);

  const judged = { reports: 0, samples: 0 };
  const rejected = { reports: 0, samples: 0 };
  sampleCounts.forEach((samples, index) => {
    if (refused.has(index)) return;
    judged.reports += 1;
    judged.samples += samples;
    const gone = rejectedOf.get(index);
    if (gone === undefined) return;
    rejected.samples += gone === "all" ? samples : gone.size;
    if (gone === "all" || gone.size === samples) rejected.reports += 1;
  });
  if (outcome.rejectionsOmitted > 0) {
    rejected.reports = Math.max(rejected.reports, judged.reports - outcome.reportsStored);
    rejected.samples = Math.max(rejected.samples, judged.samples - outcome.samplesStored);
  }
  return {
    acked: { reports: judged.reports - rejected.reports, samples: judged.samples - rejected.samples },
    rejected,
    refused: [...refused].sort((a, b) => a - b),
    rejections,
  };
}

function isOfBatch(rejection: Rejection): boolean {
  return rejection.reason === Reason.TOO_MANY_SAMPLES || rejection.reason === Reason.MALFORMED;
}

/** For each report with rejections: the places of its rejected samples, or "all" when the report itself is rejected. */
function rejectedSamples(
  sampleCounts: readonly number[],
  rejections: readonly Rejection[],
): Map<number, Set<number> | "all"> {
  const rejectedOf = new Map<number, Set<number> | "all">();
  for (const { reportIndex, sampleIndex } of rejections) {
    if (sampleIndex === undefined) {
      rejectedOf.set(reportIndex, "all");
      continue;
    }
    if (sampleIndex >= (sampleCounts[reportIndex] ?? 0)) continue;
    const places = rejectedOf.get(reportIndex) ?? new Set();
    if (places !== "all") rejectedOf.set(reportIndex, places.add(sampleIndex));
  }
  return rejectedOf;
}
