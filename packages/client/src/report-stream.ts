import type { DescMethodBiDiStreaming, MessageInitShape } from "@bufbuild/protobuf";
import { MonitorService, type ReportResponse, type ReportResponseSchema } from "@mon/proto";
import { ReportBatchSchema } from "@mon/proto/wire";
import type { BrokerConnection } from "./connection.ts";
import type { Batch } from "./session.ts";

/** `MonitorService.Report` with the reports of a request as bytes: the same on the wire, encoded only once. */
const reportMethod: DescMethodBiDiStreaming<typeof ReportBatchSchema, typeof ReportResponseSchema> = {
  ...MonitorService.method.report,
  input: ReportBatchSchema,
};

/**
 * Opens the `Report` stream and carries batches out and outcomes in, until either side ends it.
 *
 * @param batches - pulled one at a time, the next when the transport has taken the last; its end closes the sending side
 * @throws whatever Connect throws when the stream fails
 */
export async function* reportStream(
  connection: BrokerConnection,
  batches: AsyncIterable<Batch>,
  headers: Readonly<Record<string, string>>,
  signal: AbortSignal,
): AsyncGenerator<ReportResponse> {
  const response = await connection.transport.stream(
    reportMethod,
    signal,
    undefined,
    headers,
    requestsOf(batches),
  );
  yield* response.message;
}

async function* requestsOf(
  batches: AsyncIterable<Batch>,
): AsyncGenerator<MessageInitShape<typeof ReportBatchSchema>> {
  for await (const { sequence, reports } of batches) {
    yield { sequence, reports: reports.map(({ bytes }) => bytes) };
  }
}
