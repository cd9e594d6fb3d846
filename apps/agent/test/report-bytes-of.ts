import { create, toBinary } from "@bufbuild/protobuf";
import { type Report, ReportSchema, type Sample } from "@mon/proto";

function bytewise(a: string, b: string): number {
  return Buffer.compare(Buffer.from(a), Buffer.from(b));
}

function keyOf({ name, labels }: Sample): string {
  return [name, ...labels.flatMap((label) => [label.name, label.value])].join("\0");
}

/** The bytes of a report whose labels and samples are sorted bytewise. */
export function reportBytesOf(report: Report): Uint8Array {
  const samples = report.samples
    .map((sample) => ({ ...sample, labels: sample.labels.toSorted((a, b) => bytewise(a.name, b.name)) }))
    .sort((a, b) => bytewise(keyOf(a), keyOf(b)));
  return toBinary(ReportSchema, create(ReportSchema, { ...report, samples }));
}
