import { getHeapStatistics } from "node:v8";
import type { DescMethodBiDiStreaming, DescMethodUnary } from "@bufbuild/protobuf";
import type { ConnectRouter } from "@connectrpc/connect";
import type { BrokerConfig } from "@mon/config";
import { ByteBudget, type Clock, Intake } from "@mon/intake";
import { AdminService, MonitorService, QueryService } from "@mon/proto";
import { Health, ServerReflection } from "@mon/proto/grpc";
import { PushBatchSchema, ReportBatchSchema } from "@mon/proto/wire";
import type { Fragment, MetricStore, WriteFate } from "@mon/store";
import { addClusterMetrics } from "./cluster/cluster-metrics.ts";
import type { ClusterNode } from "./cluster/cluster-node.ts";
import { Router } from "./cluster/router.ts";
import { GrpcDoor, type TlsFiles } from "./doors/grpc-door.ts";
import { HttpDoor } from "./doors/http-door.ts";
import type { Page } from "./doors/page.ts";
import { isPlainGrpc } from "./doors/report-call.ts";
import { RpcHandler } from "./doors/rpc-handler.ts";
import { httpRoutes } from "./http-routes.ts";
import { Lifecycle } from "./lifecycle.ts";
import type { Logger } from "./logger.ts";
import { createMetrics } from "./observe/metrics.ts";
import { Telemetry } from "./observe/telemetry.ts";
import { createAdminService } from "./services/admin-service.ts";
import { createBackupService } from "./services/backup-service.ts";
import { createClusterService } from "./services/cluster-service.ts";
import { createHealthService } from "./services/health-service.ts";
import { Liveness } from "./services/liveness.ts";
import { MonitorHandlers } from "./services/monitor-service.ts";
import { createQueryService } from "./services/query-service.ts";
import { createReflectionService } from "./services/reflection-service.ts";
import { Turnstile } from "./services/turnstile.ts";
import { WatchHub } from "./services/watch-hub.ts";
import { Upkeep } from "./upkeep.ts";
import { version } from "./version.ts";

/** What a broker is made of; `main.ts` makes these. */
export interface BrokerDeps {
  readonly config: BrokerConfig;
  readonly store: MetricStore;
  /** Where the store is, for people. */
  readonly storeLocation: string;
  /** What names the store's content; empty when nothing does. Asked while the store is open. */
  readonly storeId: () => string;
  readonly page: Page;
  readonly tls: TlsFiles | undefined;
  /** Undefined for a broker that is alone. */
  readonly cluster: ClusterNode | undefined;
  readonly hostNames: readonly string[];
  readonly clock: Clock;
  readonly logger: Logger;
}

/** Where a broker listens. */
export interface Addresses {
  readonly grpcPort: number;
  readonly httpPort: number;
  /** Undefined for a broker that is alone. */
  readonly peerPort?: number;
}

/** One node: constructed from its parts, started once, stopped once. */
export class Broker {
  readonly #deps: BrokerDeps;
  readonly #lifecycle: Lifecycle;
  readonly #intake: Intake;
  readonly #telemetry: Telemetry;
  readonly #upkeep: Upkeep;
  readonly #grpcDoor: GrpcDoor;
  readonly #httpDoor: HttpDoor;
  /** For what other brokers have taken in: apart, so that no two wait for each other. */
  readonly #peerBudget: ByteBudget;
  /** Aborted when calls that still run must end. */
  readonly #closed = new AbortController();

  constructor(deps: BrokerDeps) {
    this.#deps = deps;
    const { config, store, clock, logger, page, tls, hostNames } = deps;
    const { limits } = config;
    const identity = { brokerId: config.nodeId, version };
    const watchHub = new WatchHub();
    const liveness = new Liveness();
    const budget = new ByteBudget(config.intake.bytesInFlightMax || getHeapStatistics().heap_size_limit / 4);
    this.#peerBudget = new ByteBudget(Math.max(peerBytesMin, budget.max / 4));
    const router =
      deps.cluster &&
      new Router({ cluster: deps.cluster, store, ringChanged: () => this.#intake.forgetRepeats() });

    this.#lifecycle = new Lifecycle(store, () => deps.cluster?.problems() ?? []);
    this.#intake = new Intake(
      { store, clock, stored: (fragments) => watchHub.show(fragments), routes: router },
      intakeOptions(config),
    );
    this.#telemetry = new Telemetry(clock, this.#intake.counters);
    this.#upkeep = new Upkeep({
      store,
      retentionMs: config.store.retentionMs,
      now: () => clock.now(),
      logger,
    });

    const monitor = new MonitorHandlers({
      identity,
      intake: this.#intake,
      budget,
      store,
      liveness,
      telemetry: this.#telemetry,
      clock,
      draining: this.#lifecycle.draining,
      heartbeatIntervalMs: config.agents.heartbeatIntervalMs,
      messageBytesMax: limits.messageBytesMax,
      samplesMax: limits.samplesPerMessageMax,
    });
    const query = createQueryService({
      store,
      liveness,
      watchHub,
      clock,
      turnstile: new Turnstile(config.query.concurrencyMax, "queries"),
      samplesMax: config.query.samplesMax,
      timeoutMs: config.query.timeoutMs,
      draining: this.#lifecycle.draining,
    });
    const admin = createAdminService({
      identity,
      lifecycle: this.#lifecycle,
      store,
      location: deps.storeLocation,
      retentionMs: config.store.retentionMs,
      intake: this.#intake,
      budget,
      telemetry: this.#telemetry,
      clock,
    });
    const backup = createBackupService({
      identity,
      store,
      storeId: deps.storeId,
      retentionMs: config.store.retentionMs,
      clock,
      logger,
      draining: this.#lifecycle.draining,
    });
    const clusterService = createClusterService(deps.cluster);
    const services = [MonitorService, QueryService, AdminService];
    const health = createHealthService(this.#lifecycle, new Set(services.map(({ typeName }) => typeName)));

    const rpcOptions = {
      connectionBytesMax: limits.connectionBytesInFlightMax,
      closed: this.#closed.signal,
      telemetry: this.#telemetry,
      logger,
    };
    const smallMessages = { readMaxBytes: limits.httpBodyBytesMax };
    // Backups are compressed already.
    const uncompressed = { compressMinBytes: 0xffff_ffff };
    const monitorRoutes = (router: ConnectRouter): void => {
      router.service(MonitorService, monitor.typed);
    };
    this.#grpcDoor = new GrpcDoor(
      new RpcHandler({
        ...rpcOptions,
        messageBytesMax: limits.messageBytesMax,
        routes: (router) => {
          monitorRoutes(router);
          router.service(QueryService, query);
          router.service(AdminService, { ...admin, ...backup, ...clusterService }, uncompressed);
          router.service(Health, health);
          router.service(ServerReflection, createReflectionService([...services, Health, ServerReflection]));
        },
        twinRoutes: (router) => {
          router.rpc(twinOfReport, (batches, context) => monitor.reportBatches(batches, context));
          router.rpc(twinOfPush, (batch, context) => monitor.pushBatch(batch, context));
        },
        shortCut: (path, request, response, connection, progress) =>
          path === reportPath && isPlainGrpc(request)
            ? monitor.reportCall(request, response, connection, progress)
            : undefined,
      }),
      limits,
      tls,
    );
    const metrics = createMetrics({
      intake: this.#intake,
      budget,
      store,
      watchHub,
      telemetry: this.#telemetry,
      now: () => clock.now(),
    });
    if (deps.cluster !== undefined && router !== undefined) addClusterMetrics(metrics, deps.cluster, router);
    this.#httpDoor = new HttpDoor(
      {
        rpc: new RpcHandler({
          ...rpcOptions,
          messageBytesMax: limits.messageBytesMax,
          routes: (router) => {
            monitorRoutes(router);
            router.service(QueryService, query, smallMessages);
            router.service(AdminService, { ...admin, ...clusterService }, smallMessages);
          },
          twinRoutes: (router) => {
            router.rpc(twinOfPush, (batch, context) => monitor.pushBatch(batch, context));
          },
        }),
        page,
        routes: httpRoutes({
          lifecycle: this.#lifecycle,
          store,
          liveness,
          metrics,
        }),
        hostNames,
        logger,
      },
      limits,
      tls,
    );
  }

  /** Opens the store, then the doors, then joins its cluster if it has one. @throws what either of them throws, with nothing left open */
  async start(): Promise<Addresses> {
    const { config, store, cluster } = this.#deps;
    const { address, grpcPort, httpPort } = config.listen;
    await store.open();
    try {
      const doors = {
        grpcPort: await this.#grpcDoor.listen(address, grpcPort),
        httpPort: await this.#httpDoor.listen(address, httpPort),
      };
      const addresses =
        cluster === undefined ? doors : { ...doors, peerPort: await this.#join(cluster, doors.grpcPort) };
      this.#telemetry.start();
      this.#upkeep.start();
      this.#lifecycle.serve();
      return addresses;
    } catch (error) {
      await Promise.all([this.#grpcDoor.close(), this.#httpDoor.close(), cluster?.stop()]);
      await store.close();
      throw error;
    }
  }

  #join(cluster: ClusterNode, agentPort: number): Promise<number> {
    const budget = this.#peerBudget;
    const take = (
      fragments: readonly Fragment[],
      bytes: number,
    ): Promise<readonly WriteFate[]> | undefined => {
      if (!budget.tryAcquire(bytes)) return undefined;
      return this.#intake.take(fragments).finally(() => budget.release(bytes));
    };
    return cluster.start({ agentPort, take });
  }

  /**
   * Stops: says that it is going, answers what it has taken, flushes, and lets go of everything. Callers that have not
   * left after `shutdown.drainTimeoutMs` are cut off.
   */
  async stop(): Promise<void> {
    const { config, store, cluster, logger } = this.#deps;
    this.#lifecycle.drain();
    const cutOff = setTimeout(() => {
      logger.warn("cutting off calls that did not end in time");
      this.#closed.abort();
      this.#grpcDoor.destroy();
      this.#httpDoor.destroy();
    }, config.shutdown.drainTimeoutMs * 0.8);
    // The doors stay open meanwhile, so that health checks see it going; nothing more is taken in.
    await this.#intake.drain();
    await this.#grpcDoor.close();
    await this.#httpDoor.close();
    clearTimeout(cutOff);
    await this.#intake.drain();
    this.#closed.abort();
    this.#telemetry.stop();
    this.#upkeep.stop();
    await cluster?.stop();
    await store.close();
    await this.#upkeep.idle();
  }
}

/** Bytes of other brokers' reports that there is always room for: one message. */
const peerBytesMin = 16_777_216;

const reportPath = `/${MonitorService.typeName}/${MonitorService.method.report.name}`;

/** `Report` and `Push` with their wire twins as input: the same path, the same bytes, reports left undecoded. */
const twinOfReport: DescMethodBiDiStreaming<
  typeof ReportBatchSchema,
  typeof MonitorService.method.report.output
> = {
  ...MonitorService.method.report,
  input: ReportBatchSchema,
};
const twinOfPush: DescMethodUnary<typeof PushBatchSchema, typeof MonitorService.method.push.output> = {
  ...MonitorService.method.push,
  input: PushBatchSchema,
};

function intakeOptions({ intake, limits, store }: BrokerConfig) {
  const { batchReportsMax, batchBytesMax, flushesInFlightMax, lingerMs, flushTimeoutMs, dedupBytesMax } =
    intake;
  return {
    batchReportsMax,
    batchBytesMax,
    flushesInFlightMax,
    lingerMs,
    flushTimeoutMs,
    dedupBytesMax,
    rules: {
      behindMs: store.retentionMs,
      aheadMs: intake.aheadMs,
      samplesMax: limits.samplesPerMessageMax,
      labelsMax: limits.labelsMax,
      nameBytesMax: limits.nameBytesMax,
      labelValueBytesMax: limits.labelValueBytesMax,
      names: intake.names,
      nan: intake.nan,
      infinite: intake.infinite,
      ranges: intake.ranges,
    },
  };
}
