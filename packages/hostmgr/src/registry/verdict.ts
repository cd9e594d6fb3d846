import { worstStatus } from "../checks/check-state.ts";
import type { Host, HostState } from "./host.ts";

/** By what hosts are judged. */
export interface VerdictOptions {
  /** How often a host says that it is there, 30,000 ms. */
  readonly heartbeatMs: number;
  /** Heartbeats that may be missing before a host is down, 3. It is suspect from the first on. */
  readonly heartbeatsMissedMax: number;
  /** How long a host is down before it is forgotten, 86,400,000 ms. One that a file or somebody lists is not. */
  readonly forgetAfterMs: number;
}

/** What holds where an option is not given. */
export const defaultVerdictOptions: VerdictOptions = Object.freeze({
  heartbeatMs: 30_000,
  heartbeatsMissedMax: 3,
  forgetAfterMs: 86_400_000,
});

/** How a host is, and why. */
export interface Verdict {
  readonly state: HostState;
  readonly reason: string;
  readonly evidence: string;
}

/** Late by so much of an interval is not late: clocks and networks are not exact. */
const patience = 1.5;

/**
 * How a host is, by all that is known of it; the worst decides. Pure.
 *
 * @param mayFall - whether a host may be called down now; when not, it stays suspect: the one that judges doubts itself, or
 *   too many look down at once
 */
export function verdictOn(
  host: Host,
  nowMs: number,
  mayFall: boolean,
  options: VerdictOptions = defaultVerdictOptions,
): Verdict {
  if (host.hostId === undefined) {
    return { state: "discovered", reason: "an address answers", evidence: host.addresses.at(-1) ?? "" };
  }
  if (!isRegistered(host)) {
    return { state: "identified", reason: "an agent said who it is", evidence: host.agentVersion ?? "" };
  }
  const worst =
    worseOf(byChecks(host), byHeartbeat(host, nowMs, options)) ??
    ({ state: "registered", reason: "nothing is known of its health", evidence: "" } satisfies Verdict);
  if (worst.state !== "down") return worst;
  if (!mayFall && host.state !== "down") {
    return { state: "suspect", reason: `${worst.reason}; not confirmed`, evidence: worst.evidence };
  }
  const isExpected = host.sources.has("file") || host.sources.has("api");
  if (host.state === "down" && !isExpected && nowMs - host.sinceMs >= options.forgetAfterMs) {
    return { state: "forgotten", reason: `down for ${options.forgetAfterMs} ms`, evidence: worst.evidence };
  }
  return worst;
}

const badness: readonly HostState[] = ["healthy", "degraded", "suspect", "down"];

/** The worse of two; the first when they are as bad. */
function worseOf(a: Verdict | undefined, b: Verdict | undefined): Verdict | undefined {
  if (a === undefined || b === undefined) return a ?? b;
  return badness.indexOf(b.state) > badness.indexOf(a.state) ? b : a;
}

const allPass: Verdict = Object.freeze({ state: "healthy", reason: "all checks pass", evidence: "" });
const beats: Verdict = Object.freeze({ state: "healthy", reason: "its heartbeat comes", evidence: "" });

/** Whether somebody wants it to be watched: it reports, or is listed. Finding it is not enough. */
function isRegistered({ sources }: Host): boolean {
  return sources.has("file") || sources.has("api") || sources.has("report");
}

function byChecks({ checks }: Host): Verdict | undefined {
  const status = worstStatus(checks.values());
  if (status === undefined) return undefined;
  if (status === "passing") return allPass;
  const evidence = [...checks.values()].find((check) => check.status === status)?.last?.output ?? "";
  return status === "critical"
    ? { state: "down", reason: "a check fails", evidence }
    : { state: "degraded", reason: "a check warns", evidence };
}

function byHeartbeat(
  { lastHeartbeatMs }: Host,
  nowMs: number,
  { heartbeatMs, heartbeatsMissedMax }: VerdictOptions,
): Verdict | undefined {
  if (lastHeartbeatMs === undefined) return undefined;
  const silentMs = nowMs - lastHeartbeatMs;
  const isOverdue = silentMs >= heartbeatMs * heartbeatsMissedMax;
  if (!isOverdue && silentMs <= heartbeatMs * patience) return beats;
  const evidence = `no heartbeat since ${new Date(lastHeartbeatMs).toISOString()}`;
  return isOverdue
    ? { state: "down", reason: "its heartbeat is overdue", evidence }
    : { state: "suspect", reason: "its heartbeat is late", evidence };
}
