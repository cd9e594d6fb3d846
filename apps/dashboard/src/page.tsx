import type { VNode } from "preact";
import { useEffect, useMemo, useRef, useState } from "preact/hooks";
import type { Broker } from "./broker.ts";
import type { BrokerClock } from "./broker-clock.ts";
import { Charts } from "./charts.tsx";
import { chosenHosts } from "./choice.ts";
import { Explorer } from "./explorer.tsx";
import { healthOf, OUTDATED_MS } from "./health.ts";
import { HealthLine } from "./health-line.tsx";
import { Hosts } from "./hosts.tsx";
import { Intake } from "./intake.tsx";
import { OutdatedBanner } from "./outdated-banner.tsx";
import { PageContext } from "./page-context.ts";
import { PageHead } from "./page-head.tsx";
import { type ThemeChoice, useTheme } from "./theme.ts";
import { useHosts } from "./use-hosts.ts";
import { useMetrics } from "./use-metrics.ts";
import { usePageState } from "./use-page-state.ts";
import { usePoller } from "./use-poller.ts";
import { useStatus } from "./use-status.ts";
import { Welcome } from "./welcome.tsx";

/** The whole page. */
export function Page({ broker, clock }: { broker: Broker; clock: BrokerClock }): VNode {
  const { choice, theme, choose } = useTheme();
  const tools = useMemo(() => ({ broker, clock, theme }), [broker, clock, theme]);
  return (
    <PageContext.Provider value={tools}>
      <Contents themeChoice={choice} onThemeChoice={choose} />
    </PageContext.Provider>
  );
}

interface ContentsProps {
  readonly themeChoice: ThemeChoice;
  readonly onThemeChoice: (choice: ThemeChoice) => void;
}

function Contents({ themeChoice, onThemeChoice }: ContentsProps): VNode {
  const [state, change] = usePageState();
  const { status, answeredAtMs, failing, history } = useStatus();
  const hosts = useHosts();
  const nowMs = useTime();
  const silenceMs = useSilence(answeredAtMs, nowMs);

  const chosen = useMemo(() => chosenHosts(hosts.rows, state.hosts), [hosts.rows, state.hosts]);
  const metrics = useMetrics(chosen);
  const health = healthOf({ status, silenceMs, failing, hosts: hosts.rows, history });
  const outdated = silenceMs !== null && silenceMs > OUTDATED_MS;
  const empty = hosts.complete && hosts.rows.length === 0;
  const hasHosts = hosts.rows.length > 0;

  useEffect(() => {
    document.title = `${health.verdict} · mon`;
  }, [health.verdict]);

  return (
    <>
      {/* biome-ignore lint/a11y/useValidAnchor: it leads somewhere; only the hash is not its to change */}
      <a class="skip" href="#hosts" onClick={skipToHosts}>
        Skip to the hosts
      </a>
      {outdated && answeredAtMs !== null && (
        <OutdatedBanner answeredAtMs={answeredAtMs} silenceMs={silenceMs} />
      )}
      <PageHead status={status} themeChoice={themeChoice} onThemeChoice={onThemeChoice} />
      <main tabIndex={-1} class={outdated ? "outdated" : ""}>
        <HealthLine health={health} />
        {empty && <Welcome origin={location.origin} />}
        {hasHosts && (
          <>
            <Hosts view={hosts} state={state} change={change} chosen={chosen} outdated={outdated} />
            <Charts state={state} change={change} hosts={chosen} metrics={metrics} />
            <Explorer state={state} change={change} hosts={chosen} metrics={metrics} />
          </>
        )}
        {status !== null && <Intake status={status} history={history} />}
      </main>
    </>
  );
}

/** Moves the focus without touching the URL's hash, which holds the page's state. */
function skipToHosts(event: Event): void {
  event.preventDefault();
  const target =
    document.querySelector<HTMLElement>("#hosts [role=grid]") ?? document.querySelector<HTMLElement>("main");
  target?.scrollIntoView({ block: "center" });
  target?.focus();
}

/** This machine's time, each second while the page can be seen. */
function useTime(): number {
  const [nowMs, setNowMs] = useState(Date.now);
  usePoller(
    "time",
    async () => setNowMs(Date.now()),
    () => 1_000,
  );
  return nowMs;
}

/** How long the broker has not answered while the page could be seen; null when it never has. */
function useSilence(answeredAtMs: number | null, nowMs: number): number | null {
  const visibleAtMs = useRef(0);
  useEffect(() => {
    const changed = (): void => {
      if (!document.hidden) visibleAtMs.current = Date.now();
    };
    document.addEventListener("visibilitychange", changed);
    return () => document.removeEventListener("visibilitychange", changed);
  }, []);
  if (answeredAtMs === null) return null;
  return Math.max(0, nowMs - Math.max(answeredAtMs, visibleAtMs.current));
}
