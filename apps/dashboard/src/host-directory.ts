import { type Broker, HOSTS_PER_CALL } from "./broker.ts";
import { type HostRow, hasVitals, rowFromHost, rowWithLatest, rowWithRecent } from "./host.ts";
import { COLUMN_VITALS } from "./vital.ts";

/** The most hosts that the page keeps; those beyond, by id, are only counted. */
const HOSTS_KEPT_MAX = 20_000;

/** Hosts without vitals whose newest metrics are looked up in one step, at most. */
const RECENT_HOSTS_MAX = 20;
/** A host with more series than this is not asked for its newest metrics: the answer would be long. */
const RECENT_SERIES_MAX = 200;

const VITAL_NAMES = COLUMN_VITALS.map((vital) => vital.name);

/**
 * Knows the hosts of a broker, however many there are, at a bounded cost: each step reads one page of hosts (1,000 by
 * id) with their vitals, and the hosts that somebody is looking at besides. Up to a page of hosts every step sees all
 * of them; with ten thousand the hosts in view are as recent as the last step, the others come round every ten steps.
 */
export class HostDirectory {
  readonly #broker: Broker;
  readonly #rows = new Map<string, HostRow>();
  #pageToken = "";
  /** Hosts read in this round. */
  #passed = new Set<string>();

  /** Hosts that the broker has, kept or not. */
  total = 0;
  /** Whether every host (up to the bound) has been read once. */
  complete = false;
  /** What the last answer said it was missing. */
  missing: readonly string[] = [];

  constructor(broker: Broker) {
    this.#broker = broker;
  }

  /** The hosts that are known, in no order. */
  get rows(): ReadonlyMap<string, HostRow> {
    return this.#rows;
  }

  /**
   * Reads the next page, and the hosts in view. After a failure the next step begins a new round: a broker that was
   * started again may not know where the old one stopped.
   *
   * @param inView - ids of hosts that somebody is looking at
   * @param asOfMs - the broker's clock now
   */
  async step(inView: readonly string[], asOfMs: number, signal: AbortSignal): Promise<void> {
    const pageToken = this.#pageToken;
    this.#pageToken = "";
    const page = await this.#broker.hosts(pageToken, signal);
    if (pageToken === "") this.#passed = new Set();
    this.total = Number(page.hostsTotal);
    // Newcomers are likely to be looked at next.
    const newcomers = page.hosts.flatMap(({ hostId }) => (this.#rows.has(hostId) ? [] : hostId));
    for (const host of page.hosts) {
      this.#passed.add(host.hostId);
      this.#rows.set(host.hostId, rowFromHost(host, this.#rows.get(host.hostId), asOfMs));
    }
    this.#pageToken = page.nextPageToken;
    if (this.#pageToken === "" || this.#passed.size >= HOSTS_KEPT_MAX) this.#endRound();
    await this.#readLatest([...page.hosts.map((host) => host.hostId), ...inView], asOfMs, signal);
    await this.#readRecent([...inView, ...newcomers.slice(0, RECENT_HOSTS_MAX)], signal);
  }

  #endRound(): void {
    for (const id of this.#rows.keys()) if (!this.#passed.has(id)) this.#rows.delete(id);
    this.#pageToken = "";
    this.complete = true;
  }

  async #readLatest(ids: readonly string[], asOfMs: number, signal: AbortSignal): Promise<void> {
    const hosts = [...new Set(ids)].filter((id) => this.#rows.has(id)).slice(0, HOSTS_PER_CALL + 100);
    if (hosts.length === 0) return;
    const answer = await this.#broker.latest(hosts, VITAL_NAMES, signal);
    this.missing = answer.missing;
    for (const latest of answer.value) {
      const row = this.#rows.get(latest.hostId);
      if (row !== undefined) this.#rows.set(row.id, rowWithLatest(row, latest, asOfMs));
    }
  }

  async #readRecent(inView: readonly string[], signal: AbortSignal): Promise<void> {
    const hosts = inView
      .flatMap((id) => this.#rows.get(id) ?? [])
      .filter((row) => !hasVitals(row) && row.series > 0 && row.series <= RECENT_SERIES_MAX)
      .slice(0, RECENT_HOSTS_MAX);
    if (hosts.length === 0) return;
    const answer = await this.#broker.latest(
      hosts.map((row) => row.id),
      null,
      signal,
    );
    for (const latest of answer.value) {
      const row = this.#rows.get(latest.hostId);
      if (row !== undefined) this.#rows.set(row.id, rowWithRecent(row, latest.values));
    }
  }
}
