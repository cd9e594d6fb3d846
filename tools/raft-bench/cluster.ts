/** Three local servers that keep a log on disk, as a client and a meter see them. */
export interface Cluster extends AsyncDisposable {
  readonly name: string;
  readonly pids: readonly number[];
  /** Where the leader serves clients. */
  readonly leaderPort: number;
  /** Syncs of the log so far, of all members. */
  logSyncs(): Promise<number>;
}

/** Asks again and again, for so long, until there is an answer. */
export async function eventually<Value>(
  what: string,
  ask: () => Promise<Value | undefined>,
  timeoutMs = 20_000,
): Promise<Value> {
  const endMs = performance.now() + timeoutMs;
  for (;;) {
    // A server that is not up yet refuses connections.
    const value = await ask().catch(() => undefined);
    if (value !== undefined) return value;
    if (performance.now() > endMs) throw new Error(`expected ${what} within ${timeoutMs} ms`);
    await new Promise((resolve) => setTimeout(resolve, 20));
  }
}
