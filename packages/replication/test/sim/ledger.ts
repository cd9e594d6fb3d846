import type { Fragment } from "@mon/store";

/** A report that was sent. */
export interface Sent {
  readonly fragment: Fragment;
  readonly value: number;
  /** When its writer was told that it is stored; undefined while it was not. */
  ackedAtMs: number | undefined;
}

/** What writers know: what they sent, and what was acknowledged. */
export class Ledger {
  readonly #byHost = new Map<string, Map<number, Sent>>();

  add(fragment: Fragment, value: number): Sent {
    const sent: Sent = { fragment, value, ackedAtMs: undefined };
    const host = this.#byHost.get(fragment.hostId) ?? new Map<number, Sent>();
    this.#byHost.set(fragment.hostId, host);
    host.set(fragment.timestampMs, sent);
    return sent;
  }

  of(hostId: string): ReadonlyMap<number, Sent> {
    return this.#byHost.get(hostId) ?? new Map();
  }

  *all(): Generator<Sent> {
    for (const host of this.#byHost.values()) yield* host.values();
  }

  *acked(): Generator<Sent> {
    for (const sent of this.all()) if (sent.ackedAtMs !== undefined) yield sent;
  }
}
