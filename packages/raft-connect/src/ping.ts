import type { Http2Session } from "node:http2";
import type { Clock, Timer } from "@mon/raft";

/** When a session is pinged. */
export interface PingTimes {
  readonly pingIntervalMs: number;
  readonly pingTimeoutMs: number;
}

/** Pings a session until it is closed, and destroys it when an answer does not come in time (R31). */
export function keepPinging(
  session: Http2Session,
  { pingIntervalMs, pingTimeoutMs }: PingTimes,
  clock: Clock,
): void {
  let timer: Timer;
  const wait = (): void => {
    timer = clock.setTimeout(ping, pingIntervalMs);
  };
  const ping = (): void => {
    // It ends already, and waits for its socket only.
    if (session.destroyed) return;
    const error = new Error(`expected an answer to a ping within ${pingTimeoutMs} ms`);
    timer = clock.setTimeout(() => session.destroy(error), pingTimeoutMs);
    session.ping((failure) => {
      // A ping that fails means that the session is closing.
      if (failure !== null || session.destroyed) return;
      timer.cancel();
      wait();
    });
  };
  session.once("close", () => timer.cancel());
  wait();
}
