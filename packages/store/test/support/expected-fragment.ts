import { create, toBinary } from "@bufbuild/protobuf";
import { type Report, ReportSchema } from "@mon/proto";
import type { Sample } from "../../src/index.ts";

const byBytes = (a: string, b: string): number => Buffer.compare(Buffer.from(a), Buffer.from(b));

/** The canonical bytes of samples, by protobuf-es: its encoding of a report that holds nothing but them, sorted. */
export function expectedFragment(samples: readonly Sample[]): Uint8Array {
  const sorted = samples.map((sample) => ({
    ...sample,
    labels: sample.labels.toSorted((a, b) => byBytes(a.name, b.name)),
  }));
  sorted.sort((a, b) => byBytes(a.name, b.name) || compareLabels(a, b));
  const report: Report = create(ReportSchema, {
    samples: sorted.map(({ name, value, labels, kind, flags }) => ({
      name,
      value,
      labels: labels.map((label) => ({ ...label })),
      kind,
      flags,
    })),
  });
  return toBinary(ReportSchema, report);
}

function compareLabels(a: Sample, b: Sample): number {
  for (const [i, label] of a.labels.entries()) {
    const other = b.labels[i];
    if (other === undefined) return 1;
    const order = byBytes(label.name, other.name) || byBytes(label.value, other.value);
    if (order !== 0) return order;
  }
  return a.labels.length - b.labels.length;
}
