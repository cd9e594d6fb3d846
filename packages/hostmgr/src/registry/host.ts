import type { CheckState, CheckStatus } from "../checks/check-state.ts";

/** How somebody came to know of a host. All of them take the same way in. */
export type HostSource = "scan" | "multicast" | "file" | "api" | "report";

/** How a host is. Whether it is being maintained is said beside it. */
export type HostState =
  /** Something answers at an address. */
  | "discovered"
  /** It said who it is, and that it can speak to this cluster. */
  | "identified"
  /** It is to be watched, and nothing is known of its health. */
  | "registered"
  | "healthy"
  /** A check warns. */
  | "degraded"
  /** It is late with its heartbeat, or looks down to one who doubts itself. */
  | "suspect"
  | "down"
  /** It was down for so long that nobody expects it back. */
  | "forgotten";

/** What one source knows of a host. */
export interface HostSighting {
  readonly source: HostSource;
  /** host:port of its agent; absent when it only reports. */
  readonly address?: string | undefined;
  /** Absent until it was asked. */
  readonly hostId?: string | undefined;
  readonly labels?: ReadonlyMap<string, string> | undefined;
  readonly agentVersion?: string | undefined;
  /** How long the sighting holds; without it until the source takes it back. */
  readonly leaseMs?: number | undefined;
  readonly atMs: number;
}

/** A source of a host, and how long it holds. */
export interface HostSourceState {
  readonly seenMs: number;
  readonly expiresAtMs: number | undefined;
}

/** A time in which nobody wants to hear of a host. */
export interface Maintenance {
  /** When it ends by itself; never, without. */
  readonly untilMs: number | undefined;
  readonly by: string;
  readonly reason: string;
}

/** A change of a host's state. */
export interface HostTransition {
  /** Rises by one with each of a host's. */
  readonly seq: number;
  readonly from: HostState | undefined;
  readonly to: HostState;
  /** For people, and the same for the same cause. */
  readonly reason: string;
  /** What was seen: a check's output, how long a heartbeat is overdue. At most {@link evidenceMax} characters of it. */
  readonly evidence: string;
  readonly atMs: number;
}

/** What is known of a host. Never changed, but replaced. */
export interface Host {
  /** Its id; until that is known, its address in brackets. */
  readonly key: string;
  readonly hostId: string | undefined;
  /** host:port, the one seen last at the end. */
  readonly addresses: readonly string[];
  readonly labels: ReadonlyMap<string, string>;
  readonly sources: ReadonlyMap<HostSource, HostSourceState>;
  readonly agentVersion: string | undefined;
  readonly state: HostState;
  readonly sinceMs: number;
  readonly maintenance: Maintenance | undefined;
  readonly lastReportMs: number | undefined;
  /** The last heartbeat; undefined for a host that never sent one, and is not judged by them. */
  readonly lastHeartbeatMs: number | undefined;
  readonly checks: ReadonlyMap<string, CheckState>;
  /** The last results of its checks, the newest at the end; at most {@link stripMax}. */
  readonly strip: readonly { readonly atMs: number; readonly status: CheckStatus }[];
  /** The newest at the end; at most {@link transitionsMax}. */
  readonly transitions: readonly HostTransition[];
}

/** Results in a host's strip. */
export const stripMax = 60;
/** Transitions that are kept of a host. */
export const transitionsMax = 100;
/** Characters of evidence that are kept with a transition: there are many of these. */
export const evidenceMax = 500;
/** Addresses that are kept of a host. */
export const addressesMax = 8;
