import { Durability, type RestoreResponse } from "@mon/proto";
import type { BackupSummary } from "@mon/store/backup";
import { enumWord, jsonInteger } from "./json.ts";
import { formatTable } from "./table.ts";
import { printable } from "./text.ts";
import { formatInstant } from "./time.ts";
import { formatBytes } from "./units.ts";
import type { View } from "./view.ts";

/** Shows what a backup holds. */
export function backupView(file: string, summary: BackupSummary): View {
  const { header, bytes, partitions, partitionsDamaged, fragments, hosts, startMs, endMs, sha256, damage } =
    summary;
  const range =
    startMs === null || endMs === null ? "" : `${formatInstant(startMs)} to ${formatInstant(endMs)}`;
  const store = header.storeId === "" ? header.storeKind : `${header.storeKind} ${header.storeId}`;
  return view({
    document: {
      file,
      ...header,
      bytes,
      partitions,
      partitionsDamaged,
      fragments,
      hosts,
      startMs,
      endMs,
      sha256,
      damage,
    },
    id: file,
    rows: [
      ["file", file],
      ["size", `${formatBytes(bytes)}, ${formatBytes(summary.fragmentBytes)} of reports`],
      ["made", formatInstant(header.createdAtMs)],
      ["broker", header.brokerId],
      ["store", store],
      ["hosts", String(hosts)],
      ["partitions", String(partitions)],
      ["reports", String(fragments)],
      ["time range", range],
      ["sha-256", sha256],
    ],
    notes: [
      ...(partitionsDamaged > 0
        ? [
            `${partitionsDamaged} of ${partitions} partitions could not be read in full when the backup was made`,
          ]
        : []),
      ...damage.map(printable),
    ],
  });
}

/** Shows what a restore did, or would do. */
export function restoreView(file: string, dryRun: boolean, answer: RestoreResponse): View {
  const { fragmentsPastRetention, hostsPastRetention, partitionsDamaged } = answer;
  const oldest = Number(answer.keepFromMs);
  return view({
    document: {
      file,
      dryRun,
      bytes: jsonInteger(answer.bytes),
      partitions: jsonInteger(answer.partitions),
      partitionsDamaged: jsonInteger(partitionsDamaged),
      fragments: jsonInteger(answer.fragments),
      fragmentsPastRetention: jsonInteger(fragmentsPastRetention),
      hosts: jsonInteger(answer.hosts),
      hostsPastRetention: jsonInteger(hostsPastRetention),
      durability: enumWord(Durability, answer.durability),
      keepFromMs: oldest,
    },
    id: file,
    rows: [
      ["file", file],
      [
        dryRun ? "would be there" : "is there",
        `${answer.fragments} reports in ${answer.partitions} partitions`,
      ],
      ["past retention", `${fragmentsPastRetention} reports before ${formatInstant(oldest)}, left out`],
      ["hosts", `${answer.hosts}, ${hostsPastRetention} left out`],
      ["durability", dryRun ? "none: nothing was written" : enumWord(Durability, answer.durability)],
    ],
    notes:
      partitionsDamaged > 0n
        ? [`${partitionsDamaged} partitions could not be read in full when the backup was made`]
        : [],
  });
}

function view(parts: {
  document: Record<string, unknown>;
  id: string;
  rows: readonly (readonly [string, string])[];
  notes: readonly string[];
}): View {
  return {
    document: parts.document,
    rows: [parts.document],
    ids: [printable(parts.id)],
    notes: parts.notes,
    table: ({ headers, style }) =>
      formatTable(
        [{ title: "WHAT" }, { title: "VALUE" }],
        parts.rows.map(([what, value]) => [what, printable(value)]),
        { headers, styleHeader: (line) => style("dim", line) },
      ),
  };
}
