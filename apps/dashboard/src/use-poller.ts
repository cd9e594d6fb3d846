import { useEffect, useRef } from "preact/hooks";
import { browserDeps, Poller } from "./poller.ts";

/**
 * Asks again and again while the part of the page is there, and begins anew when `key` changes.
 *
 * @param key - what the question is about; null to ask nothing
 * @param task - one question; it handles its own failures
 * @param intervalMs - from the end of a question to the next one
 */
export function usePoller(
  key: string | null,
  task: (signal: AbortSignal) => Promise<void>,
  intervalMs: () => number,
): void {
  const latest = useRef({ task, intervalMs });
  latest.current = { task, intervalMs };
  useEffect(() => {
    if (key === null) return;
    const poller = new Poller(
      { task: (signal) => latest.current.task(signal), intervalMs: () => latest.current.intervalMs() },
      browserDeps,
    );
    poller.start();
    return () => poller.stop();
  }, [key]);
}
