import type { VNode } from "preact";
import { useEffect, useRef } from "preact/hooks";
import uPlot from "uplot";
import type { FrameValue } from "./frame.ts";
import { usePageTools } from "./page-context.ts";
import type { LineStyle } from "./palette.ts";
import { formatClock } from "./time-axis.ts";
import { formatTicks, isBinary, type Unit } from "./unit.ts";

interface PlotProps {
  readonly widthPx: number;
  readonly heightPx: number;
  /** Instants in seconds since the Unix epoch, rising. */
  readonly seconds: readonly number[];
  /** Values of each line, as many as there are instants. */
  readonly lines: readonly (readonly FrameValue[])[];
  readonly styles: readonly LineStyle[];
  readonly unit: Unit;
  /** Where the axis ends at least; null where the data alone says. */
  readonly axisMax: number | null;
  /** Whether the axis begins at zero whatever the data; else it may close in on values that lie far from it. */
  readonly fromZero: boolean;
  /** First and last second of the time axis. */
  readonly span: readonly [number, number];
  /** Tells which instant is under the pointer, by its place in `seconds`; null when there is none. */
  readonly onCursor: (index: number | null) => void;
}

/** Charts with the same key share their cursor. */
const CURSOR_KEY = "mon";
/** Divisions of an axis in bytes: powers of two. */
const BINARY_INCREMENTS = Array.from({ length: 50 }, (_, power) => 2 ** power);

/** Lines over time, drawn by uPlot. What it shows is said in words elsewhere: it is hidden from screen readers. */
export function Plot(props: PlotProps): VNode {
  const { theme } = usePageTools();
  const host = useRef<HTMLDivElement>(null);
  const plot = useRef<uPlot | null>(null);
  const latest = useRef(props);
  latest.current = props;
  const { widthPx, heightPx, seconds, lines, styles, unit } = props;
  const shape = JSON.stringify([theme, unit, styles]);
  const ready = widthPx > 0;

  // Built anew for another shape only; data and size follow below.
  useEffect(() => {
    if (host.current === null || !ready) return;
    const built = new uPlot(optionsOf(latest), alignedData(seconds, lines), host.current);
    plot.current = built;
    return () => {
      plot.current = null;
      built.destroy();
    };
  }, [shape, ready]);
  useEffect(() => {
    plot.current?.setData(alignedData(seconds, lines));
  }, [seconds, lines]);
  useEffect(() => {
    plot.current?.setSize({ width: widthPx, height: heightPx });
  }, [widthPx, heightPx]);

  return <div class="plot" ref={host} aria-hidden="true" style={{ height: `${heightPx}px` }} />;
}

function alignedData(seconds: readonly number[], lines: PlotProps["lines"]): uPlot.AlignedData {
  // uPlot reads its data and never writes to it.
  return [seconds, ...lines] as unknown as uPlot.AlignedData;
}

function optionsOf(props: { readonly current: PlotProps }): uPlot.Options {
  const { widthPx, heightPx, styles, unit } = props.current;
  const sheet = getComputedStyle(document.documentElement);
  const colour = (name: string): string => sheet.getPropertyValue(name).trim();
  const font = `11px ${getComputedStyle(document.body).fontFamily}`;
  const grid = { stroke: colour("--grid"), width: 1 };
  const axis = { stroke: colour("--muted"), font, ticks: { show: false }, grid };
  return {
    width: widthPx,
    height: heightPx,
    padding: [10, 14, 0, 0],
    legend: { show: false },
    cursor: {
      y: false,
      drag: { x: false, y: false },
      points: { size: 7 },
      sync: { key: CURSOR_KEY, scales: ["x", null] },
    },
    scales: {
      x: { time: true, range: () => [...props.current.span] as [number, number] },
      y: { range: (_, min, max) => valueSpan(min, max, props.current) },
    },
    axes: [
      {
        ...axis,
        size: 28,
        space: (_, __, ___, ____, plotPx) => (plotPx < 480 ? 44 : 72),
        grid: { show: false },
        values: (_, ticks, __, ___, distance) => ticks.map((tick) => formatClock(tick, distance)),
      },
      {
        ...axis,
        size: 62,
        gap: 8,
        space: 34,
        ...(isBinary(unit) && { incrs: BINARY_INCREMENTS }),
        values: (_, ticks) => formatTicks(ticks, unit),
      },
    ],
    series: [
      {},
      ...styles.map((style) => ({
        stroke: colour(`--line-${style.colour}`),
        width: 1.5,
        dash: [...style.dash],
        points: { show: false },
        ...(styles.length === 1 && { fill: colour(`--fill-${style.colour}`) }),
      })),
    ],
    hooks: {
      setCursor: [(self) => props.current.onCursor(self.cursor.idx ?? null)],
    },
  };
}

/**
 * Where the axis of values begins and ends. From zero, so that heights can be compared, unless all values lie within
 * a fifth of the greatest: then their changes are what matters.
 */
function valueSpan(
  min: number | null,
  max: number | null,
  { axisMax, fromZero }: Pick<PlotProps, "axisMax" | "fromZero">,
): [number, number] {
  if (min === null || max === null) return [0, axisMax ?? 1];
  if (!fromZero && axisMax === null && max > min && min > max * 0.8) {
    const margin = (max - min) * 0.15;
    return [min - margin, max + margin];
  }
  if (axisMax !== null && min >= 0 && max <= axisMax) return [0, axisMax];
  const top = max > 0 ? max * 1.08 : 0;
  const bottom = Math.min(0, min * 1.08);
  return [bottom, Math.max(axisMax ?? 0, top, bottom === 0 && top === 0 ? 1 : top)];
}
