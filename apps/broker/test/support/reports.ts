import { create, type MessageInitShape } from "@bufbuild/protobuf";
import type { Client } from "@connectrpc/connect";
import {
  Kind,
  type QueryRangeRequestSchema,
  type QueryService,
  type QuerySummary,
  type Report,
  ReportSchema,
} from "@mon/proto";
import { expect } from "vitest";
import type { Reading } from "./ledger.ts";

/** A sample as tests write it. */
export interface TestSample {
  readonly name: string;
  readonly value: number;
  readonly labels?: Readonly<Record<string, string>>;
  readonly kind?: Kind;
}

/** A report of some samples. */
export function reportOf(hostId: string, timestampMs: number, samples: readonly TestSample[]): Report {
  return create(ReportSchema, {
    hostId,
    timestampMs: BigInt(timestampMs),
    samples: samples.map(({ name, value, labels = {}, kind = Kind.GAUGE }) => ({
      name,
      value,
      kind,
      labels: Object.entries(labels).map(([label, text]) => ({ name: label, value: text })),
    })),
  });
}

/** One series of an answer, with its messages joined. */
export interface AnsweredSeries {
  readonly hostId: string;
  readonly name: string;
  readonly labels: Readonly<Record<string, string>>;
  readonly points: readonly (readonly [timestampMs: number, value: number])[];
}

/** Asks for a range and joins the answer. */
export async function queryRange(
  client: Client<typeof QueryService>,
  request: MessageInitShape<typeof QueryRangeRequestSchema>,
): Promise<{ series: AnsweredSeries[]; summary: QuerySummary }> {
  const byKey = new Map<string, AnsweredSeries & { points: [number, number][] }>();
  let summary: QuerySummary | undefined;
  for await (const message of client.queryRange(request)) {
    for (const { series, baseMs, offsetsMs, values } of message.series) {
      const { hostId, name } = series!;
      const labels = Object.fromEntries(series!.labels.map((label) => [label.name, label.value]));
      const key = JSON.stringify([hostId, name, labels]);
      const joined = byKey.get(key) ?? { hostId, name, labels, points: [] };
      byKey.set(key, joined);
      for (const [i, offsetMs] of offsetsMs.entries())
        joined.points.push([Number(baseMs) + offsetMs, values[i]!]);
    }
    summary = message.summary ?? summary;
  }
  if (summary === undefined) throw new Error("expected a summary, the answer was cut");
  return { series: [...byKey.values()], summary };
}

/** Everything that a ledger's writer may have written, read back. */
export async function readLedger(client: Client<typeof QueryService>, startMs: number): Promise<Reading[]> {
  const { series, summary } = await queryRange(client, {
    name: "ledger_value",
    startMs: BigInt(startMs),
    endMs: BigInt(Date.now() + 60_000),
  });
  expect(summary).toMatchObject({ partial: false, missing: [] });
  return series.flatMap(({ hostId, points }) =>
    points.map(([timestampMs, value]) => ({ hostId, timestampMs, value })),
  );
}
