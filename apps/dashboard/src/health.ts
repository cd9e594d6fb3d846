import { BrokerState, type StatusResponse } from "@mon/proto";
import type { HostRow } from "./host.ts";
import { type IntakePoint, recentRejections } from "./intake-history.ts";
import { adviceFor } from "./rejection.ts";
import { formatCount, formatDuration, formatValue } from "./unit.ts";

/** How things stand, best first. */
export type HealthLevel = "good" | "waiting" | "warning" | "bad";

/** How things stand, in a sentence: `All well` and the figures, or what is wrong and why. */
export interface Health {
  readonly level: HealthLevel;
  /** The verdict, in two or three words. */
  readonly verdict: string;
  /** The figures or the reasons behind it, as whole sentences. */
  readonly detail: string;
}

/** What a verdict rests on. */
export interface HealthInputs {
  /** The broker's last answer; null before the first. */
  readonly status: StatusResponse | null;
  /** Milliseconds since the broker last answered; null when it never has. */
  readonly silenceMs: number | null;
  /** Whether the last question failed. */
  readonly failing: boolean;
  readonly hosts: readonly HostRow[];
  readonly history: readonly IntakePoint[];
}

/** Without an answer for this long, what the page shows is out of date. */
export const OUTDATED_MS = 5_000;
/** From this part of the bound on, bytes in flight are worth a word. */
const IN_FLIGHT_HIGH = 0.8;
const REJECTIONS_SPAN_MS = 60_000;
const NAMED_MAX = 3;
/** A host that has been quiet for this long has been taken away, and nobody needs to hear of it again. */
const GONE_MS = 86_400_000;

/** Says how the broker and its hosts are. The worst thing comes first; with nothing wrong it is the figures. */
export function healthOf(inputs: HealthInputs): Health {
  const { status, silenceMs, failing } = inputs;
  if (status === null || silenceMs === null) {
    return failing
      ? { level: "bad", verdict: "No connection", detail: "The broker does not answer." }
      : { level: "waiting", verdict: "Connecting", detail: "Asking the broker how it is." };
  }
  if (silenceMs > OUTDATED_MS) {
    const detail = `The broker has not answered for ${formatDuration(silenceMs)}. Figures are from before.`;
    return { level: "bad", verdict: "No answer", detail };
  }
  return stateHealth(status) ?? worryHealth(inputs, status) ?? wellHealth(inputs, status);
}

function stateHealth(status: StatusResponse): Health | null {
  const why = sentences([...status.problems, ...(status.store?.damage ?? [])]);
  switch (status.state) {
    case BrokerState.STARTING:
      return { level: "waiting", verdict: "Starting", detail: why || "The broker is opening its store." };
    case BrokerState.DRAINING:
      return {
        level: "warning",
        verdict: "Stopping",
        detail: why || "The broker finishes what it has taken and takes no more.",
      };
    case BrokerState.DEGRADED:
      return { level: "bad", verdict: "Degraded", detail: why || "A part of the broker does not work." };
    default:
      return why === "" ? null : { level: "bad", verdict: "Trouble", detail: why };
  }
}

/** What is wrong while the broker serves: memory at its bound, hosts gone quiet, samples turned away. */
function worryHealth({ hosts, history }: HealthInputs, status: StatusResponse): Health | null {
  const worries: string[] = [];
  const inFlight = Number(status.intake?.bytesInFlight ?? 0);
  const bound = Number(status.intake?.bytesInFlightMax ?? 0);
  if (bound > 0 && inFlight > bound * IN_FLIGHT_HIGH) {
    const part = formatValue(inFlight / bound, "ratio");
    worries.push(`Reports on their way to the store take ${part} of their bound; the store is behind.`);
  }
  const quiet = hosts.filter(
    (host) =>
      (host.freshness === "stale" || host.freshness === "silent") && host.asOfMs - host.lastSeenMs < GONE_MS,
  );
  if (quiet.length > 0) {
    const names = quiet.slice(0, NAMED_MAX).map((host) => host.id);
    const more = quiet.length - names.length;
    const list = more > 0 ? `${names.join(", ")} and ${formatCount(more)} more` : names.join(", ");
    worries.push(`${formatCount(quiet.length)} of ${plural(hosts.length, "host")} went quiet: ${list}.`);
  }
  const rejections = [...recentRejections(history, REJECTIONS_SPAN_MS)].sort((a, b) => b[1] - a[1]);
  if (rejections.length > 0) {
    const total = rejections.reduce((sum, [, count]) => sum + count, 0);
    const reasons = rejections.slice(0, NAMED_MAX).map(([reason]) => adviceFor(reason).title.toLowerCase());
    worries.push(`${formatCount(total)} rejected in the past minute: ${reasons.join(", ")}.`);
  }
  if (worries.length === 0) return null;
  return { level: "warning", verdict: "Needs a look", detail: worries.join(" ") };
}

function wellHealth({ hosts }: HealthInputs, status: StatusResponse): Health {
  const reporting = hosts.filter((host) => host.freshness === "fresh").length;
  if (reporting === 0) {
    const detail = hosts.length === 0 ? "No host has reported yet." : "No host has reported in the past day.";
    return { level: "waiting", verdict: "Ready", detail };
  }
  const latency = status.intake?.ackLatency;
  const figures = [
    `${plural(reporting, "host")} reporting`,
    `${formatValue(status.intake?.samplesPerSecond ?? 0, "none")} samples/s stored`,
  ];
  if (latency !== undefined && latency.count > 0n) {
    figures.push(`acks in ${formatValue(latency.p99Ms, "milliseconds")} (p99)`);
  }
  return { level: "good", verdict: "All well", detail: `${figures.join(", ")}.` };
}

/** A count with its noun: `1 host`, `3 hosts`, `12.3 k hosts`. */
export function plural(count: number, noun: string): string {
  return `${formatCount(count)} ${noun}${count === 1 ? "" : "s"}`;
}

/** Lower-case fragments as sentences: capitals in front, full stops behind. */
function sentences(fragments: readonly string[]): string {
  return fragments
    .map((fragment) => fragment.trim())
    .filter((fragment) => fragment !== "")
    .map((fragment) => fragment[0]!.toUpperCase() + fragment.slice(1).replace(/[.]?$/, "."))
    .join(" ");
}
