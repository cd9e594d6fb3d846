import { createClient } from "@connectrpc/connect";
import { createGrpcTransport, Http2SessionManager } from "@connectrpc/connect-node";
import { AdminService } from "@mon/proto";
import { type CorpusName, hostsMax } from "./corpus.ts";
import { LoadProcess } from "./load-process.ts";
import { startBroker } from "./server.ts";

/** Memory of a broker by its own account, in bytes. Nothing is collected for the occasion. */
export interface Memory {
  readonly residentBytes: number;
  readonly heapBytes: number;
  readonly hosts: number;
  readonly series: number;
}

/** A broker's memory when it has just started, and when many hosts have reported. */
export interface MemoryVisit {
  readonly fresh: Memory;
  readonly filled: Memory;
}

/** How often each host reports before memory is looked at. */
const reportsPerHost = 3;
const batchReports = 100;

/** Lets 10,000 hosts report to a fresh broker. @throws when it does not know all of them afterwards */
export async function measureMemory(corpus: CorpusName): Promise<MemoryVisit> {
  await using broker = await startBroker();
  await using client = new LoadProcess();
  const fresh = await statusOf(broker.port);
  await client.run({
    port: broker.port,
    serverPid: broker.pid,
    ack: "outcome",
    corpus,
    hosts: hostsMax,
    reports: batchReports,
    shape: { connections: 2, streams: 4, window: 8 },
    load: { kind: "fixed", batches: (hostsMax * reportsPerHost) / batchReports },
  });
  const filled = await statusOf(broker.port);
  if (filled.hosts !== hostsMax)
    throw new Error(`expected ${hostsMax} hosts in the broker, got ${filled.hosts}`);
  return { fresh, filled };
}

async function statusOf(port: number): Promise<Memory> {
  const baseUrl = `http://127.0.0.1:${port}`;
  const sessionManager = new Http2SessionManager(baseUrl);
  const admin = createClient(AdminService, createGrpcTransport({ baseUrl, sessionManager }));
  const { process, store } = await admin.status({});
  sessionManager.abort();
  if (process === undefined || store === undefined)
    throw new Error("expected a status with process and store");
  return {
    residentBytes: Number(process.residentBytes),
    heapBytes: Number(process.heapBytes),
    hosts: Number(store.hosts),
    series: Number(store.series),
  };
}
