/** Somebody else who can look: another broker. */
export interface Confirmer {
  /** Checks a host from there, now. Rejects, or says unknown, when nobody could. */
  confirm(hostKey: string, signal: AbortSignal): Promise<"down" | "up" | "unknown">;
}

/** How opinions are asked for. */
export interface SecondOpinionOptions {
  /** Questions under way at a time, 32. */
  readonly concurrency: number;
  /** Hosts that are remembered or wait at most, 20,000; of those beyond, nobody is asked until there is room. */
  readonly hostsMax: number;
  /** How long an opinion holds, 60,000 ms. */
  readonly validMs: number;
}

/** What holds where an option is not given. */
export const defaultSecondOpinionOptions: SecondOpinionOptions = Object.freeze({
  concurrency: 32,
  hostsMax: 20_000,
  validMs: 60_000,
});

/** What is known of a question. */
type Opinion =
  | { readonly is: "waiting" | "asked" }
  | { readonly is: "down" | "up" | "unknown"; readonly atMs: number };

/**
 * Opinions of others on hosts that look down to one who doubts itself. Asking is idempotent while an opinion is waited for or
 * holds. Nobody is asked of his own accord again: whoever still wants to know asks once more.
 */
export class SecondOpinions {
  readonly #confirmer: Confirmer;
  readonly #now: () => number;
  readonly #options: SecondOpinionOptions;
  readonly #opinions = new Map<string, Opinion>();
  #queue: string[] = [];
  readonly #asked = new Set<Promise<void>>();
  readonly #abort = new AbortController();

  constructor(confirmer: Confirmer, now: () => number, options: Partial<SecondOpinionOptions> = {}) {
    this.#confirmer = confirmer;
    this.#now = now;
    this.#options = { ...defaultSecondOpinionOptions, ...options };
  }

  /** Whether another has found a host down, lately. Asks when nobody was asked, and says no until the answer is there. */
  confirms(hostKey: string): boolean {
    const known = this.#opinions.get(hostKey);
    if (known !== undefined && "atMs" in known && this.#now() - known.atMs < this.#options.validMs)
      return known.is === "down";
    if (known === undefined || "atMs" in known) this.#ask(hostKey);
    return false;
  }

  /** Ends what is under way. Idempotent. */
  async stop(): Promise<void> {
    this.#abort.abort(new Error("nobody wants to know any more"));
    this.#queue = [];
    await Promise.all(this.#asked);
  }

  #ask(hostKey: string): void {
    if (this.#abort.signal.aborted) return;
    if (this.#opinions.size >= this.#options.hostsMax) this.#forgetOld();
    if (this.#opinions.size >= this.#options.hostsMax && !this.#opinions.has(hostKey)) return;
    this.#opinions.set(hostKey, { is: "waiting" });
    this.#queue.push(hostKey);
    this.#begin();
  }

  #begin(): void {
    const room = Math.max(0, this.#options.concurrency - this.#asked.size);
    for (const hostKey of this.#queue.splice(0, room)) {
      this.#opinions.set(hostKey, { is: "asked" });
      const asked = this.#confirm(hostKey).finally(() => {
        this.#asked.delete(asked);
        this.#begin();
      });
      this.#asked.add(asked);
    }
  }

  async #confirm(hostKey: string): Promise<void> {
    let is: "down" | "up" | "unknown";
    try {
      is = await this.#confirmer.confirm(hostKey, this.#abort.signal);
    } catch {
      // Who cannot be asked knows nothing: the host stays what it is, and is asked about again later.
      is = "unknown";
    }
    this.#opinions.set(hostKey, { is, atMs: this.#now() });
  }

  #forgetOld(): void {
    const now = this.#now();
    for (const [hostKey, opinion] of this.#opinions)
      if ("atMs" in opinion && now - opinion.atMs >= this.#options.validMs) this.#opinions.delete(hostKey);
  }
}
