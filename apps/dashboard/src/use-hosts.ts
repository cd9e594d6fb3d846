import { useMemo, useRef, useState } from "preact/hooks";
import type { HostRow } from "./host.ts";
import { HostDirectory } from "./host-directory.ts";
import { usePageTools } from "./page-context.ts";
import { usePoller } from "./use-poller.ts";

/** How often hosts are asked for, in milliseconds. */
const HOSTS_INTERVAL_MS = 2_000;

/** What the page knows of the hosts. */
export interface HostsView {
  readonly rows: readonly HostRow[];
  /** Hosts that the broker has, listed here or not. */
  readonly total: number;
  /** Whether all of them have been read once. */
  readonly complete: boolean;
  readonly missing: readonly string[];
  /** Tells which hosts somebody is looking at, so that these are read most often. */
  readonly look: (ids: readonly string[]) => void;
}

/** Keeps the list of hosts and their last values up to date. */
export function useHosts(): HostsView {
  const { broker, clock } = usePageTools();
  const directory = useMemo(() => new HostDirectory(broker), [broker]);
  const inView = useRef<readonly string[]>([]);
  const failing = useRef(false);
  const [steps, setSteps] = useState(0);
  const step = async (signal: AbortSignal): Promise<void> => {
    try {
      await directory.step(inView.current, clock.now(), signal);
      failing.current = false;
      setSteps((count) => count + 1);
    } catch {
      // The status is asked at the same pace and says that the broker does not answer; the rows stay as they were.
      failing.current = true;
    }
  };
  // The first round goes without rests: a table that fills over twenty seconds looks broken.
  usePoller("hosts", step, () => (directory.complete || failing.current ? HOSTS_INTERVAL_MS : 0));
  // The directory changes with each step.
  const rows = useMemo(() => [...directory.rows.values()], [directory, steps]);
  return {
    rows,
    total: directory.total,
    complete: directory.complete,
    missing: directory.missing,
    look: (ids) => {
      inView.current = ids;
    },
  };
}
