/** Hosts whose last heartbeat is remembered; the longest silent is forgotten first. */
const hostsMax = 100_000;

/** When hosts last gave a sign of life, by this broker's clock. */
export class Liveness {
  readonly #heartbeats = new Map<string, number>();

  beat(hostId: string, nowMs: number): void {
    this.#heartbeats.delete(hostId);
    if (this.#heartbeats.size >= hostsMax) this.#heartbeats.delete(this.#heartbeats.keys().next().value!);
    this.#heartbeats.set(hostId, nowMs);
  }

  /** In milliseconds since the Unix epoch; 0 when none came. */
  lastHeartbeatMs(hostId: string): number {
    return this.#heartbeats.get(hostId) ?? 0;
  }
}
