import type { Http2ServerRequest, Http2ServerResponse } from "node:http2";
import { create, toBinary } from "@bufbuild/protobuf";
import { Code, ConnectError, type HandlerContext, type ServiceImpl } from "@connectrpc/connect";
import type { ByteBudget, Clock, Intake } from "@mon/intake";
import {
  HeartbeatResponseSchema,
  type MonitorService,
  PushResponseSchema,
  type RegisterRequest,
  RegisterResponseSchema,
  ReportSchema,
} from "@mon/proto";
import type { PushBatch, ReportBatch } from "@mon/proto/wire";
import { type MetricStore, StoreError } from "@mon/store";
import { type Connection, connectionKey } from "../doors/connection.ts";
import { MessageBuffers } from "../doors/message-buffers.ts";
import type { MessageProgress } from "../doors/message-progress.ts";
import { ReportCall } from "../doors/report-call.ts";
import { countCallError } from "../doors/rpc-handler.ts";
import type { Telemetry } from "../observe/telemetry.ts";
import { Admission } from "./admission.ts";
import type { BrokerIdentity } from "./identity.ts";
import type { Liveness } from "./liveness.ts";
import { outcomeMessage } from "./outcome-message.ts";
import { answerReports, refusedOutcome, stopping } from "./report-stream.ts";

/** What the service works with. */
export interface MonitorDeps {
  readonly identity: BrokerIdentity;
  readonly intake: Intake;
  readonly budget: ByteBudget;
  readonly store: Pick<MetricStore, "setMetadata">;
  readonly liveness: Liveness;
  readonly telemetry: Telemetry;
  readonly clock: Clock;
  /** Aborted when the broker stops. */
  readonly draining: AbortSignal;
  readonly heartbeatIntervalMs: number;
  readonly messageBytesMax: number;
  readonly samplesMax: number;
}

/** Entries of a registration's metadata, and bytes of each. */
const metadataLimits = { entries: 32, bytes: 1_024 } as const;

/** `mon.v1.MonitorService`. Batches come as the wire twins, whose reports are bytes. */
export class MonitorHandlers {
  readonly #deps: MonitorDeps;
  readonly #buffers = new MessageBuffers();

  constructor(deps: MonitorDeps) {
    this.#deps = deps;
  }

  /** Handlers of the calls whose messages need no twin. */
  get typed(): Pick<ServiceImpl<typeof MonitorService>, "register" | "heartbeat" | "push"> {
    return {
      push: async (request, context) => ({
        outcome: outcomeMessage(
          await this.#push(
            request.reports.map((report) => toBinary(ReportSchema, report)),
            context,
          ),
        ),
      }),
      register: (request) => this.#register(request),
      heartbeat: (request) => this.#heartbeat(request.hostId),
    };
  }

  async pushBatch(batch: PushBatch, context: HandlerContext) {
    return create(PushResponseSchema, { outcome: outcomeMessage(await this.#push(batch.reports, context)) });
  }

  async *reportBatches(batches: AsyncIterable<ReportBatch>, context: HandlerContext) {
    const { intake, budget, telemetry, clock, draining } = this.#deps;
    telemetry.streams++;
    try {
      yield* answerReports(batches, {
        intake,
        admission: new Admission(context.values.get(connectionKey).budget, budget),
        acked: (durationMs) => telemetry.ackLatency.record(durationMs, clock.now()),
        refused: (reports) => this.#countRefused(reports),
        draining,
        signal: context.signal,
      });
    } finally {
      telemetry.streams--;
    }
  }

  /** Serves a `Report` call that came as plain gRPC. */
  async reportCall(
    request: Http2ServerRequest,
    response: Http2ServerResponse,
    connection: Connection,
    progress: MessageProgress,
  ): Promise<void> {
    const { intake, budget, telemetry, clock, draining, messageBytesMax } = this.#deps;
    telemetry.streams++;
    const call = new ReportCall(request, response, {
      intake,
      admission: new Admission(connection.budget, budget),
      acked: (durationMs) => telemetry.ackLatency.record(durationMs, clock.now()),
      refused: (reports) => this.#countRefused(reports),
      draining,
      messageBytesMax,
      buffers: this.#buffers,
      progress,
      failed: (error) => countCallError(telemetry, error),
    });
    try {
      await call.run();
    } finally {
      telemetry.streams--;
    }
  }

  async #push(reports: readonly Uint8Array[], context: HandlerContext) {
    const { budget, telemetry, clock, draining } = this.#deps;
    if (draining.aborted) throw stopping();
    const arrivedAt = performance.now();
    const admission = new Admission(context.values.get(connectionKey).budget, budget);
    let bytes = 0;
    for (const report of reports) bytes += report.length;
    const refusal = await admission.enter(bytes, context.signal);
    if (refusal !== undefined) {
      this.#countRefused(reports.length);
      return refusedOutcome(reports.length, refusal);
    }
    const outcome = await this.#submit(reports, admission, bytes);
    telemetry.ackLatency.record(performance.now() - arrivedAt, clock.now());
    return outcome;
  }

  /** Submits a batch that has entered; its room is given back whatever becomes of it. */
  async #submit(reports: readonly Uint8Array[], admission: Admission, bytes: number) {
    try {
      return await this.#deps.intake.submit(reports);
    } finally {
      admission.leave(bytes);
    }
  }

  /** Counts a batch that found no room: the intake has not seen it. */
  #countRefused(reports: number): void {
    const { counters } = this.#deps.intake;
    counters.batches++;
    counters.reportsRefused += reports;
  }

  async #register(request: RegisterRequest) {
    const { identity, store, liveness, clock } = this.#deps;
    assertHostId(request.hostId);
    const metadata = {
      ...request.metadata,
      agent_name: request.agentName,
      agent_version: request.agentVersion,
    };
    assertMetadata(metadata);
    await store.setMetadata(request.hostId, metadata).catch((error: unknown) => {
      if (!(error instanceof StoreError)) throw error;
      throw new ConnectError(error.message, Code.Unavailable, undefined, undefined, error);
    });
    liveness.beat(request.hostId, clock.now());
    return create(RegisterResponseSchema, {
      brokerId: identity.brokerId,
      brokerVersion: identity.version,
      heartbeatIntervalMs: this.#deps.heartbeatIntervalMs,
      messageBytesMax: this.#deps.messageBytesMax,
      samplesMax: this.#deps.samplesMax,
    });
  }

  #heartbeat(hostId: string) {
    assertHostId(hostId);
    const nowMs = this.#deps.clock.now();
    this.#deps.liveness.beat(hostId, nowMs);
    return create(HeartbeatResponseSchema, { brokerTimeMs: BigInt(nowMs) });
  }
}

function assertHostId(hostId: string): void {
  if (/^[A-Za-z0-9][A-Za-z0-9._-]{0,127}$/.test(hostId)) return;
  const shown = JSON.stringify(hostId.slice(0, 128));
  throw new ConnectError(
    `host_id: expected [A-Za-z0-9][A-Za-z0-9._-]{0,127}, got ${shown}`,
    Code.InvalidArgument,
  );
}

function assertMetadata(metadata: Readonly<Record<string, string>>): void {
  const entries = Object.entries(metadata);
  if (entries.length > metadataLimits.entries + 2) {
    throw new ConnectError(
      `metadata: expected at most ${metadataLimits.entries} entries, got ${entries.length - 2}`,
      Code.InvalidArgument,
    );
  }
  for (const [key, value] of entries) {
    const size = Buffer.byteLength(key) + Buffer.byteLength(value);
    if (size <= metadataLimits.bytes) continue;
    throw new ConnectError(
      `metadata[${JSON.stringify(key.slice(0, 64))}]: expected at most ${metadataLimits.bytes} bytes, got ${size}`,
      Code.InvalidArgument,
    );
  }
}
