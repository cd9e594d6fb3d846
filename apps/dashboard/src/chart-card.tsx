import type { VNode } from "preact";
import { useMemo, useState } from "preact/hooks";
import { type Frame, frameOfSeries, frameOfVital, gridSeconds, summarise } from "./frame.ts";
import { lineTitle } from "./line-title.ts";
import { Missing } from "./missing.tsx";
import { lineStyles } from "./palette.ts";
import { Plot } from "./plot.tsx";
import { Swatch } from "./swatch.tsx";
import { formatValue, type Unit } from "./unit.ts";
import { type RangeView, useRange } from "./use-range.ts";
import { useWidth } from "./use-width.ts";
import { ValuesTable } from "./values-table.tsx";
import type { Vital } from "./vital.ts";

/** What a small chart is about: a vital, or a metric as it is. */
export interface ChartSubject {
  readonly title: string;
  readonly name: string;
  readonly rate: boolean;
  readonly unit: Unit;
  readonly axisMax: number | null;
  readonly vital: Vital | null;
}

interface ChartCardProps {
  readonly subject: ChartSubject;
  readonly hosts: readonly string[];
  readonly rangeMs: number;
}

const HEIGHT_PX = 150;

/** A small chart with the last values, or those under the cursor, in its head. */
export function ChartCard({ subject, hosts, rangeMs }: ChartCardProps): VNode {
  const [card, width] = useWidth<HTMLElement>();
  const [cursor, setCursor] = useState<number | null>(null);
  const { view, problem } = useRange({ ...subject, hosts, rangeMs, widthPx: width });
  const frame = useMemo(() => frameOf(subject, hosts, view), [view]);
  const styles = lineStyles(frame?.lines.map((line) => line.hostId) ?? [], hosts);
  const values = useMemo(() => frame?.lines.map((line) => line.values) ?? [], [frame]);
  const seconds = useMemo(() => (frame === null ? [] : gridSeconds(frame.grid)), [frame]);
  return (
    <figure class="card chart" ref={card}>
      <figcaption>
        <h3 title={subject.name}>{subject.title}</h3>
        <ul class="legend">
          {frame?.lines.map((line, index) => {
            const { last, lastIndex } = summarise(line.values);
            const value = cursor === null ? last : (line.values[cursor] ?? undefined);
            return (
              <li key={lineTitle(line, hosts)}>
                <Swatch style={styles[index]!} />
                <span class="name">{lineTitle(line, hosts)}</span>
                <data value={value} data-at={seconds[cursor ?? lastIndex]}>
                  {formatValue(value, subject.unit)}
                </data>
              </li>
            );
          })}
        </ul>
      </figcaption>
      {frame === null ? (
        <p class="chart-note">{problem === "" ? "Loading" : `Could not be loaded: ${problem}`}</p>
      ) : (
        <>
          <Plot
            widthPx={width}
            heightPx={HEIGHT_PX}
            seconds={seconds}
            lines={values}
            styles={styles}
            unit={subject.unit}
            axisMax={subject.axisMax}
            fromZero={subject.rate}
            span={[frame.grid.startMs / 1_000, frame.grid.endMs / 1_000]}
            onCursor={setCursor}
          />
          <Missing of={subject.title} missing={view?.missing ?? []} brief />
          <ValuesTable caption={subject.title} frame={frame} hosts={hosts} unit={subject.unit} />
        </>
      )}
    </figure>
  );
}

function frameOf(subject: ChartSubject, hosts: readonly string[], view: RangeView | null): Frame | null {
  if (view === null) return null;
  return subject.vital === null
    ? frameOfSeries(view.pieces, view.grid)
    : frameOfVital(subject.vital, view.pieces, hosts, view.grid);
}
