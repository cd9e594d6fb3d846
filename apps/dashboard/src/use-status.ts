import type { StatusResponse } from "@mon/proto";
import { useState } from "preact/hooks";
import { type IntakePoint, pointFromStatus, withPoint } from "./intake-history.ts";
import { usePageTools } from "./page-context.ts";
import { usePoller } from "./use-poller.ts";

/** How often the broker is asked how it is, in milliseconds. */
export const STATUS_INTERVAL_MS = 2_000;

/** What the page knows of the broker. */
export interface StatusView {
  /** Its last answer; null before the first. */
  readonly status: StatusResponse | null;
  /** When that came, by this machine's clock; null before the first. */
  readonly answeredAtMs: number | null;
  /** Whether the last question failed. */
  readonly failing: boolean;
  readonly history: readonly IntakePoint[];
}

/** Asks the broker how it is, every two seconds. */
export function useStatus(): StatusView {
  const { broker, clock } = usePageTools();
  const [view, setView] = useState<StatusView>({
    status: null,
    answeredAtMs: null,
    failing: false,
    history: [],
  });
  const ask = async (signal: AbortSignal): Promise<void> => {
    try {
      const status = await broker.status(signal);
      clock.set(Number(status.timeMs));
      setView((before) => ({
        status,
        answeredAtMs: Date.now(),
        failing: false,
        history: withPoint(before.history, pointFromStatus(status)),
      }));
    } catch {
      // Whatever the cause, the page says that the broker does not answer, and asks again.
      if (!signal.aborted) setView((before) => ({ ...before, failing: true }));
    }
  };
  usePoller("status", ask, () => STATUS_INTERVAL_MS);
  return view;
}
