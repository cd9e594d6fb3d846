import { ConnectError } from "@connectrpc/connect";
import type { SeriesValues } from "@mon/proto";
import { useRef, useState } from "preact/hooks";
import { usePageTools } from "./page-context.ts";
import { chooseStep, type Grid, gridUntil, refreshMs } from "./step.ts";
import { usePoller } from "./use-poller.ts";

/** Which values a chart wants. */
export interface RangeWish {
  readonly hosts: readonly string[];
  readonly name: string;
  readonly rate: boolean;
  readonly rangeMs: number;
  /** Width of the plot in CSS pixels; nothing is asked while it is 0. */
  readonly widthPx: number;
}

/** Values that came. */
export interface RangeView {
  /** What the values are of: hosts, metric, and whether they are rates. */
  readonly subject: string;
  readonly pieces: readonly SeriesValues[];
  readonly grid: Grid;
  readonly missing: readonly string[];
}

/** A metric's rhythm is looked up again after this long. */
const INTERVAL_AGE_MS = 30_000;
/** Widths are rounded to this, so that a window that is dragged wider asks a few times and not for each pixel. */
const WIDTH_STEP_PX = 64;

/** What a wish is about, apart from time and width. */
function subjectOf(wish: Pick<RangeWish, "hosts" | "name" | "rate">): string {
  return JSON.stringify([wish.name, wish.rate, wish.hosts]);
}

/** Keeps the values of a chart up to date: those that came last, and why the last question failed if it did. */
export function useRange(wish: RangeWish): { view: RangeView | null; problem: string } {
  const { broker, clock } = usePageTools();
  const [view, setView] = useState<RangeView | null>(null);
  const [problem, setProblem] = useState("");
  const rhythm = useRef({ subject: "", atMs: 0, intervalMs: null as number | null });
  const stepMs = useRef(0);

  const subject = subjectOf(wish);
  const widthPx = Math.ceil(wish.widthPx / WIDTH_STEP_PX) * WIDTH_STEP_PX;
  const ask = async (signal: AbortSignal): Promise<void> => {
    try {
      const nowMs = clock.now();
      const known = rhythm.current;
      if (known.subject !== subject || known.intervalMs === null || nowMs - known.atMs > INTERVAL_AGE_MS) {
        const intervalMs = await broker.interval(wish.hosts, wish.name, nowMs, signal);
        rhythm.current = { subject, atMs: nowMs, intervalMs };
      }
      const { intervalMs } = rhythm.current;
      stepMs.current = chooseStep({ rangeMs: wish.rangeMs, widthPx, intervalMs, rate: wish.rate });
      const grid = gridUntil(nowMs, wish.rangeMs, stepMs.current);
      const answer = await broker.range({ ...wish, grid }, signal);
      if (signal.aborted) return;
      setView({ subject, pieces: answer.value, grid, missing: answer.missing });
      setProblem("");
    } catch (error) {
      if (!signal.aborted) setProblem(ConnectError.from(error).rawMessage);
    }
  };
  const asks = wish.widthPx > 0 && wish.hosts.length > 0 && wish.name !== "";
  usePoller(asks ? `${subject} ${wish.rangeMs} ${widthPx}` : null, ask, () => refreshMs(stepMs.current));
  return { view: view?.subject === subject ? view : null, problem };
}
