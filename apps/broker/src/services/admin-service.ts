import type { ServiceImpl } from "@connectrpc/connect";
import type { ByteBudget, Clock, Intake } from "@mon/intake";
import { type AdminService, BrokerState } from "@mon/proto";
import type { MetricStore } from "@mon/store";
import type { Lifecycle } from "../lifecycle.ts";
import type { Telemetry } from "../observe/telemetry.ts";
import type { BrokerIdentity } from "./identity.ts";
import { durabilityMessage, reasonMessage } from "./outcome-message.ts";

/** What the service works with. */
export interface AdminDeps {
  readonly identity: BrokerIdentity;
  readonly lifecycle: Lifecycle;
  readonly store: MetricStore;
  /** Where the store is, for people. */
  readonly location: string;
  readonly retentionMs: number;
  readonly intake: Intake;
  readonly budget: ByteBudget;
  readonly telemetry: Telemetry;
  readonly clock: Clock;
}

const states = {
  starting: BrokerState.STARTING,
  serving: BrokerState.SERVING,
  degraded: BrokerState.DEGRADED,
  draining: BrokerState.DRAINING,
} as const;

/** `mon.v1.AdminService`, but for backups: door 7480 does not have those, whose streams may take hours. */
export function createAdminService(deps: AdminDeps): Pick<ServiceImpl<typeof AdminService>, "status"> {
  return {
    async status() {
      const { identity, lifecycle, clock } = deps;
      const { state, problems } = await lifecycle.health();
      return {
        brokerId: identity.brokerId,
        version: identity.version,
        state: states[state],
        problems: [...problems],
        timeMs: BigInt(clock.now()),
        uptimeMs: BigInt(Math.round(process.uptime() * 1_000)),
        intake: intakeStatus(deps),
        store: await storeStatus(deps),
        process: processStatus(deps.telemetry),
      };
    },
  };
}

function intakeStatus({ intake, budget, telemetry, clock }: AdminDeps) {
  const { counters } = intake;
  const { count, p50Ms, p99Ms, maxMs } = telemetry.ackLatency.summary(clock.now());
  return {
    batches: BigInt(counters.batches),
    reports: BigInt(counters.reports),
    samples: BigInt(counters.samples),
    reportsRepeated: BigInt(counters.reportsRepeated),
    reportsRefused: BigInt(counters.reportsRefused),
    rejections: [...counters.rejections].map(([reason, times]) => ({
      reason: reasonMessage(reason),
      count: BigInt(times),
    })),
    bytesInFlight: BigInt(budget.used),
    bytesInFlightMax: BigInt(budget.max),
    streams: telemetry.streams,
    ackLatency: { count: BigInt(count), p50Ms, p99Ms, maxMs },
    reportsPerSecond: telemetry.reportRate.perSecond,
    samplesPerSecond: telemetry.sampleRate.perSecond,
    timestampsConverted: BigInt(counters.timestampsConverted),
  };
}

async function storeStatus({ store, location, retentionMs }: AdminDeps) {
  const stats = await store.stats();
  return {
    kind: store.kind,
    durability: durabilityMessage(store.durability),
    hosts: BigInt(stats.hosts),
    series: BigInt(stats.series),
    seriesOverLimit: BigInt(stats.seriesOverLimit),
    bytes: BigInt(stats.bytes),
    retentionMs: BigInt(retentionMs),
    conflicts: BigInt(stats.conflicts),
    damage: [...stats.damage],
    location,
  };
}

function processStatus(telemetry: Telemetry) {
  const memory = process.memoryUsage();
  const { user, system } = process.cpuUsage();
  return {
    pid: process.pid,
    residentBytes: BigInt(memory.rss),
    heapBytes: BigInt(memory.heapUsed),
    cpuSeconds: (user + system) / 1e6,
    eventLoopDelayP99Ms: telemetry.eventLoopDelayP99Ms,
  };
}
