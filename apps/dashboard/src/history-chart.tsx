import type { VNode } from "preact";
import { useMemo, useState } from "preact/hooks";
import type { FrameValue } from "./frame.ts";
import type { IntakePoint } from "./intake-history.ts";
import { lineStyle } from "./palette.ts";
import { Plot } from "./plot.tsx";
import { Swatch } from "./swatch.tsx";
import { formatValue, type Unit } from "./unit.ts";
import { useWidth } from "./use-width.ts";

interface HistoryChartProps {
  readonly title: string;
  readonly unit: Unit;
  readonly points: readonly IntakePoint[];
  readonly lines: readonly { readonly name: string; readonly value: (point: IntakePoint) => number | null }[];
}

const HEIGHT_PX = 150;
/** The time axis spans this at least, so that the first seconds do not stretch. */
const SPAN_S_MIN = 60;
/** Looks that are further apart than this were not taken because nobody could see the page. */
const REST_S = 10;

/** A figure of the broker over time, from what the page has seen of it. */
export function HistoryChart({ title, unit, points, lines }: HistoryChartProps): VNode {
  const [card, width] = useWidth<HTMLElement>();
  const [cursor, setCursor] = useState<number | null>(null);
  // The lines of a chart do not change, their points do.
  const { seconds, values } = useMemo(() => columnsOf(points, lines), [points]);
  const end = seconds.at(-1) ?? 0;
  const start = Math.min(seconds[0] ?? 0, end - SPAN_S_MIN);
  const at = cursor ?? seconds.length - 1;
  return (
    <figure class="card chart" ref={card}>
      <figcaption>
        <h3>{title}</h3>
        <ul class="legend">
          {lines.map((line, index) => {
            const value = values[index]?.[at] ?? undefined;
            return (
              <li key={line.name}>
                <Swatch style={lineStyle(index)} />
                <span class="name">{line.name}</span>
                <data value={value}>{formatValue(value, unit)}</data>
              </li>
            );
          })}
        </ul>
      </figcaption>
      <Plot
        widthPx={width}
        heightPx={HEIGHT_PX}
        seconds={seconds}
        lines={values}
        styles={lines.map((_, index) => lineStyle(index))}
        unit={unit}
        axisMax={null}
        fromZero
        span={[start, end]}
        onCursor={setCursor}
      />
    </figure>
  );
}

/** Points as columns; where the page rested there is an instant without values, which is drawn as a gap. */
function columnsOf(
  points: readonly IntakePoint[],
  lines: HistoryChartProps["lines"],
): { seconds: number[]; values: FrameValue[][] } {
  const seconds: number[] = [];
  const values: FrameValue[][] = lines.map(() => []);
  for (const point of points) {
    const second = point.timeMs / 1_000;
    const before = seconds.at(-1);
    if (before !== undefined && second - before > REST_S) {
      seconds.push(second - 1);
      for (const column of values) column.push(null);
    }
    seconds.push(second);
    for (const [index, line] of lines.entries()) values[index]!.push(line.value(point));
  }
  return { seconds, values };
}
