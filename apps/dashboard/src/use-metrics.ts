import type { Metric } from "@mon/proto";
import { useState } from "preact/hooks";
import { usePageTools } from "./page-context.ts";
import { usePoller } from "./use-poller.ts";

/** Metrics of the chosen hosts; null while they are not known. Asked for every ten seconds, sooner while there are none. */
export function useMetrics(hosts: readonly string[]): readonly Metric[] | null {
  const { broker } = usePageTools();
  const key = hosts.join(",");
  const [known, setKnown] = useState<{ key: string; metrics: readonly Metric[] } | null>(null);
  const ask = async (signal: AbortSignal): Promise<void> => {
    try {
      const metrics = await broker.metrics(hosts, signal);
      if (!signal.aborted) setKnown({ key, metrics });
    } catch {
      // The status is asked more often and says that the broker does not answer; the metrics stay as they were.
    }
  };
  usePoller(hosts.length > 0 ? key : null, ask, () =>
    known?.key === key && known.metrics.length > 0 ? 10_000 : 2_000,
  );
  return known?.key === key ? known.metrics : null;
}
