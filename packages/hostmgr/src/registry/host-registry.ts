import {
  afterResult,
  type CheckResult,
  type CheckThresholds,
  defaultCheckThresholds,
  newCheck,
} from "../checks/check-state.ts";
import {
  addressesMax,
  evidenceMax,
  type Host,
  type HostSighting,
  type HostSource,
  type HostTransition,
  type Maintenance,
  stripMax,
  transitionsMax,
} from "./host.ts";
import type { HostRecord } from "./host-record.ts";
import { type HostHandover, type Takeover, takenOver } from "./takeover.ts";
import { defaultVerdictOptions, type VerdictOptions, verdictOn } from "./verdict.ts";

/** How a registry behaves. */
export interface HostRegistryOptions extends Partial<VerdictOptions>, Partial<CheckThresholds> {
  /** Hosts at most, 100,000; a sighting of one more is turned down. */
  readonly hostsMax?: number;
}

/** A transition, and whose. */
export interface RegistryTransition extends HostTransition {
  readonly key: string;
  readonly isInMaintenance: boolean;
}

/**
 * The hosts that are known, whoever found them: the same one found twice, in two ways, is one. Pure: told what was seen and
 * when, it says what that makes of each host.
 */
export class HostRegistry {
  readonly #verdictOptions: VerdictOptions;
  readonly #thresholds: CheckThresholds;
  readonly #hostsMax: number;
  readonly #hosts = new Map<string, Host>();
  /** Keys by address. */
  readonly #byAddress = new Map<string, string>();

  constructor({ hostsMax = 100_000, ...options }: HostRegistryOptions = {}) {
    this.#verdictOptions = { ...defaultVerdictOptions, ...options };
    this.#thresholds = { ...defaultCheckThresholds, ...options };
    this.#hostsMax = hostsMax;
  }

  get size(): number {
    return this.#hosts.size;
  }

  get hosts(): IterableIterator<Host> {
    return this.#hosts.values();
  }

  /** By what hosts are judged. */
  get verdictOptions(): VerdictOptions {
    return this.#verdictOptions;
  }

  /** The key of the host that an address belongs to. */
  keyAt(address: string): string | undefined {
    return this.#byAddress.get(address);
  }

  /** A host by its id, or by its key while it has none. */
  host(key: string): Host | undefined {
    return this.#hosts.get(key);
  }

  /**
   * Notes that a host was seen. One that was known by its address alone, and now says who it is, stays what it is under its
   * id; an address that moves to another host is taken from the first.
   *
   * @returns the host; undefined when there are too many
   */
  see(sighting: HostSighting): Host | undefined {
    const { address, hostId } = sighting;
    if (address === undefined && hostId === undefined)
      throw new TypeError("expected an address or a host id, got neither");
    const known = this.#find(sighting);
    if (known === undefined && this.#hosts.size >= this.#hostsMax) return undefined;
    const key = hostId ?? known?.key ?? `[${address}]`;
    const base = known ?? emptyHost(key, sighting.atMs);
    const host = merged(base, sighting, key);
    if (known !== undefined && known.key !== key) this.#hosts.delete(known.key);
    if (address !== undefined) this.#claim(address, key);
    for (const kept of host.addresses) this.#byAddress.set(kept, key);
    this.#hosts.set(key, host);
    return host;
  }

  /** Takes back what a source said of a host; one that no source knows any more is gone. @returns whether it is */
  unsee(key: string, source: HostSource): boolean {
    const host = this.#hosts.get(key);
    if (host === undefined) return false;
    const sources = new Map(host.sources);
    sources.delete(source);
    if (sources.size === 0) {
      this.#drop(host);
      return true;
    }
    this.#hosts.set(key, { ...host, sources });
    return false;
  }

  /**
   * Takes over what brokers agree on of a host that another one watches.
   *
   * @returns the transition, when its state is another than before
   */
  inherit(record: HostRecord): RegistryTransition | undefined {
    const { key, state, sinceMs, reason } = record;
    const before = this.#hosts.get(key);
    if (before === undefined && this.#hosts.size >= this.#hostsMax) return undefined;
    const host = before ?? emptyHost(key, sinceMs);
    const isNews = state !== host.state || host.transitions.length === 0;
    const from = host.transitions.length === 0 ? undefined : host.state;
    const seq = (host.transitions.at(-1)?.seq ?? 0) + 1;
    const transition: HostTransition = { seq, from, to: state, reason, evidence: "", atMs: sinceMs };
    const transitions = isNews
      ? [...host.transitions.slice(1 - transitionsMax), transition]
      : host.transitions;
    const { hostId, addresses, labels, agentVersion, maintenance } = record;
    const sources = new Map(
      record.sources.map(({ source }) => [source, { seenMs: sinceMs, expiresAtMs: undefined }]),
    );
    for (const address of host.addresses) this.#release(address, key);
    for (const address of addresses) this.#claim(address, key);
    const known = { hostId, addresses, labels, sources, agentVersion, maintenance };
    this.#hosts.set(key, { ...host, ...known, state, sinceMs, transitions });
    return isNews ? { ...transition, key, isInMaintenance: maintenance !== undefined } : undefined;
  }

  /** Takes a host off that brokers agree on no more, and that another one watched. */
  disinherit(key: string): void {
    const host = this.#hosts.get(key);
    if (host !== undefined) this.#drop(host);
  }

  /** Ends to watch a host: what only its watcher knows is forgotten, so that it is not taken for news later. */
  handOver(key: string): HostHandover | undefined {
    const host = this.#hosts.get(key);
    if (host !== undefined) this.#hosts.set(key, { ...host, checks: new Map(), lastHeartbeatMs: undefined });
    return host;
  }

  /** Begins to watch a host that another broker watched; see {@link takenOver}. */
  takeOver(key: string, takeover: Takeover): void {
    this.#change(key, (host) => takenOver(host, takeover, this.#verdictOptions));
  }

  /** Notes a heartbeat of a host that is known. Older than the last, it changes nothing. */
  heartbeat(key: string, atMs: number): void {
    this.#change(key, (host) => ({ ...host, lastHeartbeatMs: Math.max(host.lastHeartbeatMs ?? atMs, atMs) }));
  }

  /** Notes a result of a check. */
  checked(key: string, result: CheckResult): void {
    this.#change(key, (host) => {
      const before = host.checks.get(result.checkId) ?? newCheck;
      const after = afterResult(before, result, this.#thresholds);
      if (after === before) return host;
      const checks = new Map(host.checks).set(result.checkId, after);
      const strip = [...host.strip.slice(1 - stripMax), { atMs: result.atMs, status: result.status }];
      return { ...host, checks, strip };
    });
  }

  /** Forgets what checks said that are no longer made. */
  keepChecks(key: string, checkIds: ReadonlySet<string>): void {
    this.#change(key, (host) => {
      const checks = new Map([...host.checks].filter(([checkId]) => checkIds.has(checkId)));
      return checks.size === host.checks.size ? host : { ...host, checks };
    });
  }

  /** Begins or ends a time in which nobody wants to hear of a host. */
  maintain(key: string, maintenance: Maintenance | undefined): void {
    this.#change(key, (host) => ({ ...host, maintenance }));
  }

  /**
   * Judges all hosts, or some. O(hosts).
   *
   * @param mayFall - whether a host may be called down now
   * @returns what has changed, in order of key; a host that is forgotten is gone afterwards
   */
  judge(
    nowMs: number,
    mayFall: (host: Host) => boolean = () => true,
    keys?: Iterable<string>,
  ): RegistryTransition[] {
    const transitions: RegistryTransition[] = [];
    for (const key of keys ?? this.#hosts.keys()) {
      const seen = this.#hosts.get(key);
      const host = seen && this.#withoutExpired(seen, nowMs);
      if (host === undefined) continue;
      const verdict = verdictOn(host, nowMs, mayFall(host), this.#verdictOptions);
      const { state, reason } = verdict;
      const evidence = verdict.evidence.slice(0, evidenceMax);
      if (state === host.state && host.transitions.length > 0) continue;
      const from = host.transitions.length === 0 ? undefined : host.state;
      const seq = (host.transitions.at(-1)?.seq ?? 0) + 1;
      const transition: HostTransition = { seq, from, to: state, reason, evidence, atMs: nowMs };
      const after = {
        ...host,
        state,
        sinceMs: nowMs,
        transitions: [...host.transitions.slice(1 - transitionsMax), transition],
      };
      this.#hosts.set(key, after);
      if (state === "forgotten") this.#drop(after);
      transitions.push({ ...transition, key, isInMaintenance: host.maintenance !== undefined });
    }
    transitions.sort((a, b) => (a.key < b.key ? -1 : 1));
    return transitions;
  }

  #find({ address, hostId }: HostSighting): Host | undefined {
    const byId = hostId === undefined ? undefined : this.#hosts.get(hostId);
    if (byId !== undefined || address === undefined) return byId;
    const there = this.#hosts.get(this.#byAddress.get(address) ?? "");
    // Somebody else's address: it belongs to whoever answers there now.
    return hostId !== undefined && there?.hostId !== undefined ? undefined : there;
  }

  /** Gives an address to a host, and takes it from any other. */
  #claim(address: string, key: string): void {
    const before = this.#byAddress.get(address);
    this.#byAddress.set(address, key);
    const other = before === undefined || before === key ? undefined : this.#hosts.get(before);
    if (other === undefined) return;
    // One that was nothing but this address is this host.
    if (other.hostId === undefined) this.#hosts.delete(other.key);
    else
      this.#hosts.set(other.key, { ...other, addresses: other.addresses.filter((each) => each !== address) });
  }

  #release(address: string, key: string): void {
    if (this.#byAddress.get(address) === key) this.#byAddress.delete(address);
  }

  #change(key: string, change: (host: Host) => Host): void {
    const host = this.#hosts.get(key);
    if (host !== undefined) this.#hosts.set(key, change(host));
  }

  /** A host without sources and maintenance that are over; undefined when nobody knows it any more. */
  #withoutExpired(host: Host, nowMs: number): Host | undefined {
    const isOver = host.maintenance?.untilMs !== undefined && host.maintenance.untilMs <= nowMs;
    if (!isOver && !hasExpired(host, nowMs)) return host;
    const sources = new Map(
      [...host.sources].filter(([, { expiresAtMs }]) => expiresAtMs === undefined || nowMs < expiresAtMs),
    );
    if (sources.size === 0) {
      this.#drop(host);
      return undefined;
    }
    const after = { ...host, sources, maintenance: isOver ? undefined : host.maintenance };
    this.#hosts.set(host.key, after);
    return after;
  }

  #drop({ key, addresses }: Host): void {
    this.#hosts.delete(key);
    for (const address of addresses) this.#release(address, key);
  }
}

/** Whether a lease is over, or there is no source at all. */
function hasExpired({ sources }: Host, nowMs: number): boolean {
  for (const { expiresAtMs } of sources.values())
    if (expiresAtMs !== undefined && nowMs >= expiresAtMs) return true;
  return sources.size === 0;
}

function emptyHost(key: string, atMs: number): Host {
  const none = { hostId: undefined, agentVersion: undefined, maintenance: undefined };
  const never = { lastReportMs: undefined, lastHeartbeatMs: undefined };
  const empty = {
    addresses: [],
    labels: new Map(),
    sources: new Map(),
    checks: new Map(),
    strip: [],
    transitions: [],
  };
  return { key, ...none, ...never, ...empty, state: "discovered", sinceMs: atMs };
}

function merged(
  host: Host,
  { source, address, hostId, labels, agentVersion, leaseMs, atMs }: HostSighting,
  key: string,
): Host {
  const others = host.addresses.filter((each) => each !== address);
  const addresses = address === undefined ? host.addresses : [...others.slice(1 - addressesMax), address];
  const expiresAtMs = leaseMs === undefined ? undefined : atMs + leaseMs;
  const sources = new Map(host.sources).set(source, { seenMs: atMs, expiresAtMs });
  const lastReportMs = source === "report" ? Math.max(host.lastReportMs ?? atMs, atMs) : host.lastReportMs;
  return {
    ...host,
    key,
    hostId: hostId ?? host.hostId,
    addresses,
    labels: labels ?? host.labels,
    sources,
    agentVersion: agentVersion ?? host.agentVersion,
    lastReportMs,
  };
}
