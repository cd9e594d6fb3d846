import { type CheckState, type CheckStatus, newCheck } from "../checks/check-state.ts";
import type { Host, HostState } from "./host.ts";
import type { HostRecord } from "./host-record.ts";
import type { VerdictOptions } from "./verdict.ts";

/** What the broker that watched a host knew of it beyond what all agree on; it hands it to the next one. */
export type HostHandover = Pick<
  Host,
  "checks" | "strip" | "transitions" | "lastReportMs" | "lastHeartbeatMs"
>;

/** How a host comes to be watched here. */
export interface Takeover {
  /** What is agreed on of it. */
  readonly record?: HostRecord | undefined;
  /** From the one before, when it could. */
  readonly handedOver?: HostHandover | undefined;
  /** Its checks from now on; others are forgotten. */
  readonly checkIds: Iterable<string>;
  /** How long a lease that was given elsewhere holds from now on, milliseconds. */
  readonly leaseMs: number;
  readonly nowMs: number;
}

/**
 * A host as one who begins to watch it knows it. Nothing is begun anew by that: what was handed over goes on where it was; without
 * that, a check counts as it did when the state was agreed on, a lease begins now, and so does the wait for a heartbeat. Pure.
 */
export function takenOver(
  host: Host,
  { record, handedOver, checkIds, leaseMs, nowMs }: Takeover,
  { heartbeatMs, heartbeatsMissedMax }: VerdictOptions,
): Host {
  const status = record && statusOf(record.state);
  const checks = new Map(
    [...checkIds].map((checkId) => {
      const [here, there] = [host.checks.get(checkId), handedOver?.checks.get(checkId)];
      return [checkId, newer(here, there) ?? { ...newCheck, status }];
    }),
  );
  // One that went down for want of a heartbeat had not sent any for so long.
  const expectedMs = host.state === "down" ? host.sinceMs - heartbeatMs * heartbeatsMissedMax : nowMs;
  const lastHeartbeatMs =
    latest(host.lastHeartbeatMs, handedOver?.lastHeartbeatMs) ?? (record?.isBeating ? expectedMs : undefined);
  const leased = new Set(record?.sources.filter(({ isLeased }) => isLeased).map(({ source }) => source));
  const sources = new Map(
    [...host.sources].map(([source, { seenMs, expiresAtMs }]) => [
      source,
      { seenMs, expiresAtMs: leased.has(source) ? (expiresAtMs ?? nowMs + leaseMs) : expiresAtMs },
    ]),
  );
  const strip = handedOver !== undefined && host.strip.length === 0 ? handedOver.strip : host.strip;
  const lastReportMs = latest(host.lastReportMs, handedOver?.lastReportMs);
  // Numbers of transitions go on from the higher one.
  const theirs = handedOver?.transitions ?? [];
  const isTheirs = (theirs.at(-1)?.seq ?? 0) > (host.transitions.at(-1)?.seq ?? 0);
  const transitions = isTheirs ? theirs : host.transitions;
  return { ...host, checks, strip, sources, lastHeartbeatMs, lastReportMs, transitions };
}

function latest(a: number | undefined, b: number | undefined): number | undefined {
  return a === undefined || (b !== undefined && b > a) ? b : a;
}

/** The one of two that knows the later result. */
function newer(a: CheckState | undefined, b: CheckState | undefined): CheckState | undefined {
  return (b?.last?.atMs ?? Number.NEGATIVE_INFINITY) > (a?.last?.atMs ?? Number.NEGATIVE_INFINITY)
    ? b
    : (a ?? b);
}

/** How the checks of a host in a state count while nothing else is known of them. */
function statusOf(state: HostState): CheckStatus | undefined {
  if (state === "down") return "critical";
  if (state === "degraded") return "warning";
  return state === "healthy" || state === "suspect" ? "passing" : undefined;
}
