/** How a failure detector judges. All times in milliseconds. */
export interface FailureDetectorOptions {
  /** How often peers say that they are there, 500. */
  readonly heartbeatMs: number;
  /** Heartbeats that may be missing before a peer is suspect, 3. */
  readonly missedMax: number;
  /** Silence after which a peer is down, 10,000. A pause of 5 s reshuffles nothing. */
  readonly downAfterMs: number;
  /** How long a peer that was down must be heard without a gap to be alive, 5,000; doubled with each time it was down lately. */
  readonly steadyMs: number;
  /** The longest that {@link steadyMs} becomes, 60,000. */
  readonly steadyMsMax: number;
  /** How long a time that a peer was down counts as lately, 600,000. */
  readonly flapMemoryMs: number;
  /** How far this clock may be from the median of the peers', 30,000. */
  readonly skewMsMax: number;
}

/** What holds where an option is not given. */
export const defaultFailureDetectorOptions: FailureDetectorOptions = Object.freeze({
  heartbeatMs: 500,
  missedMax: 3,
  downAfterMs: 10_000,
  steadyMs: 5_000,
  steadyMsMax: 60_000,
  flapMemoryMs: 600_000,
  skewMsMax: 30_000,
});

/** How a peer is judged. */
export type PeerHealth =
  | "alive"
  /** It has been silent for {@link FailureDetectorOptions.missedMax} heartbeats: others are preferred. */
  | "suspect"
  /** It has been silent for long: the cluster may give its share to others. */
  | "down";

/** A judgement that has changed. */
export interface HealthChange {
  readonly nodeId: string;
  readonly from: PeerHealth;
  readonly to: PeerHealth;
  readonly silentMs: number;
}

interface Peer {
  health: PeerHealth;
  heardMs: number;
  /** Since when it is heard without a gap. */
  steadySinceMs: number;
  /** When it was found to be down, lately. */
  readonly fallsMs: number[];
  /** Its clock less this one's. */
  skewMs: number | undefined;
}

/**
 * Judges the other members by their heartbeats. Pure: whoever has it tells what was heard and when, by a clock that only
 * goes forward, and asks every {@link FailureDetectorOptions.heartbeatMs}.
 *
 * It doubts itself first. When it was not asked for as long as would make a peer suspect, this process stood still: it
 * may be the one that the others miss, so silence counts from now on again, and {@link FailureDetector.isDoubtful} until a
 * peer has confirmed ({@link FailureDetector.confirmed}) (R11). At most a third of the members, one at least, are down at a
 * time (R35): more are more likely this one's own trouble than theirs, and stay suspect. A member that comes and goes is
 * taken back the later the more often it went, so that it does not reshuffle the ring each time.
 */
export class FailureDetector {
  readonly #options: FailureDetectorOptions;
  readonly #peers = new Map<string, Peer>();
  #askedMs: number;
  #isDoubtful = false;

  /** @param nowMs - of a clock that only goes forward */
  constructor(nowMs: number, options: Partial<FailureDetectorOptions> = {}) {
    this.#options = resolveOptions(options);
    this.#askedMs = nowMs;
  }

  /** Sets whom to judge: all members but this one, those who left not among them. New ones are alive at first. */
  setPeers(nodeIds: Iterable<string>, nowMs: number): void {
    const wanted = new Set(nodeIds);
    for (const nodeId of this.#peers.keys()) if (!wanted.has(nodeId)) this.#peers.delete(nodeId);
    for (const nodeId of wanted) {
      if (this.#peers.has(nodeId)) continue;
      const peer: Peer = {
        health: "alive",
        heardMs: nowMs,
        steadySinceMs: nowMs,
        fallsMs: [],
        skewMs: undefined,
      };
      this.#peers.set(nodeId, peer);
    }
  }

  /**
   * Notes a heartbeat, or any message; strangers' are passed over.
   *
   * @param skewMs - the peer's wall clock less this one's, halfway between asking and answer; absent when not known
   */
  heard(nodeId: string, nowMs: number, skewMs?: number): void {
    const peer = this.#peers.get(nodeId);
    if (peer === undefined) return;
    if (nowMs - peer.heardMs > this.#suspectAfterMs) peer.steadySinceMs = nowMs;
    peer.heardMs = Math.max(peer.heardMs, nowMs);
    if (skewMs !== undefined) peer.skewMs = skewMs;
  }

  /** Judges anew. O(peers). @returns what has changed, those longest silent first */
  judge(nowMs: number): HealthChange[] {
    if (nowMs - this.#askedMs > this.#suspectAfterMs) this.#startOver(nowMs);
    this.#askedMs = nowMs;
    const changes: HealthChange[] = [];
    const bySilence = [...this.#peers].sort(([, a], [, b]) => a.heardMs - b.heardMs);
    for (const [nodeId, peer] of bySilence) {
      const from = peer.health;
      const to = this.#healthOf(peer, nowMs);
      if (to === from) continue;
      peer.health = to;
      if (to === "down") peer.fallsMs.push(nowMs);
      changes.push({ nodeId, from, to, silentMs: nowMs - peer.heardMs });
    }
    return changes;
  }

  /** How a peer was judged last; undefined for a stranger. */
  healthOf(nodeId: string): PeerHealth | undefined {
    return this.#peers.get(nodeId)?.health;
  }

  /** Whether this process stood still and nobody has confirmed yet that the others still count on it (R11). */
  get isDoubtful(): boolean {
    return this.#isDoubtful;
  }

  /** A peer has confirmed, after the pause, that this member's epoch is the cluster's. */
  confirmed(): void {
    this.#isDoubtful = false;
  }

  /** The median of the peers' clocks less this one's, of those that are heard; undefined without any. */
  get skewMs(): number | undefined {
    const skews = [...this.#peers.values()]
      .filter(({ health, skewMs }) => health === "alive" && skewMs !== undefined)
      .map(({ skewMs }) => skewMs!)
      .sort((a, b) => a - b);
    if (skews.length === 0) return undefined;
    const middle = skews.length >> 1;
    return skews.length % 2 === 1 ? skews[middle]! : (skews[middle - 1]! + skews[middle]!) / 2;
  }

  /** Whether this clock is too far from the peers' for times to be judged by it. */
  get isClockOff(): boolean {
    return Math.abs(this.skewMs ?? 0) > this.#options.skewMsMax;
  }

  get #suspectAfterMs(): number {
    return this.#options.heartbeatMs * this.#options.missedMax;
  }

  #startOver(nowMs: number): void {
    this.#isDoubtful = this.#peers.size > 0;
    for (const peer of this.#peers.values()) {
      peer.heardMs = nowMs;
      peer.steadySinceMs = nowMs;
    }
  }

  #healthOf(peer: Peer, nowMs: number): PeerHealth {
    const silentMs = nowMs - peer.heardMs;
    if (peer.health === "down") {
      if (silentMs > this.#suspectAfterMs) return "down";
      return nowMs - peer.steadySinceMs >= this.#steadyMsOf(peer, nowMs) ? "alive" : "down";
    }
    if (silentMs <= this.#suspectAfterMs) return "alive";
    return silentMs >= this.#options.downAfterMs && this.#mayFall() ? "down" : "suspect";
  }

  #steadyMsOf(peer: Peer, nowMs: number): number {
    const { steadyMs, steadyMsMax, flapMemoryMs } = this.#options;
    while (peer.fallsMs.length > 1 && nowMs - peer.fallsMs[0]! > flapMemoryMs) peer.fallsMs.shift();
    return Math.min(steadyMsMax, steadyMs * 2 ** Math.min(30, peer.fallsMs.length - 1));
  }

  #mayFall(): boolean {
    const members = this.#peers.size + 1;
    let down = 0;
    for (const { health } of this.#peers.values()) if (health === "down") down++;
    return down < Math.max(1, Math.floor(members / 3));
  }
}

function resolveOptions(options: Partial<FailureDetectorOptions>): FailureDetectorOptions {
  const resolved = { ...defaultFailureDetectorOptions, ...options };
  for (const [name, value] of Object.entries(resolved)) {
    if (!(value > 0 && value <= 86_400_000))
      throw new RangeError(`expected ${name} above 0 and up to a day, got ${value}`);
  }
  const suspectAfterMs = resolved.heartbeatMs * resolved.missedMax;
  if (resolved.downAfterMs <= suspectAfterMs) {
    throw new RangeError(
      `expected downAfterMs above heartbeatMs × missedMax, ${suspectAfterMs}, got ${resolved.downAfterMs}`,
    );
  }
  return resolved;
}
