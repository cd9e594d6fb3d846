import type { Metric } from "@mon/proto";
import type { VNode } from "preact";
import { useMemo, useState } from "preact/hooks";
import { type ChartsProps, subjectOfMetric } from "./charts.tsx";
import { type Frame, frameOfSeries, gridSeconds, LINES_MAX, summarise } from "./frame.ts";
import { lineTitle } from "./line-title.ts";
import { MetricPicker } from "./metric-picker.tsx";
import { Missing } from "./missing.tsx";
import { type LineStyle, lineStyles } from "./palette.ts";
import { Plot } from "./plot.tsx";
import { RANGES } from "./step.ts";
import { Swatch } from "./swatch.tsx";
import { formatClock } from "./time-axis.ts";
import { formatDuration, formatValue, type Unit } from "./unit.ts";
import { useRange } from "./use-range.ts";
import { useWidth } from "./use-width.ts";
import { ValuesTable } from "./values-table.tsx";
import { CHART_VITALS } from "./vital.ts";

const HEIGHT_PX = 280;

/** A large chart of any metric: one line for each series, and a legend with values. */
export function Explorer({ state, change, hosts, metrics }: ChartsProps): VNode {
  const [body, width] = useWidth<HTMLDivElement>();
  const [cursor, setCursor] = useState<number | null>(null);
  const metric = chosenMetric(metrics ?? [], state.metric);
  const subject = subjectOfMetric(metric ?? { name: state.metric, kind: 0 });
  const rangeMs = RANGES.find((range) => range.id === state.range)!.durationMs;
  const { view, problem } = useRange({
    hosts,
    // Until its kind is known, nobody can say whether a metric is asked as a rate.
    name: metric?.name ?? "",
    rate: subject.rate,
    rangeMs,
    widthPx: width,
  });
  const frame = useMemo(
    () => (view === null ? null : frameOfSeries(view.pieces, view.grid, state.series)),
    [view, state.series],
  );
  const styles = lineStyles(frame?.lines.map((line) => line.hostId) ?? [], hosts);
  const values = useMemo(() => frame?.lines.map((line) => line.values) ?? [], [frame]);
  const seconds = useMemo(() => (frame === null ? [] : gridSeconds(frame.grid)), [frame]);
  const drawn = frame !== null && frame.lines.length > 0;

  return (
    <section id="explorer" aria-labelledby="explorer-title">
      <div class="section-head">
        <h2 id="explorer-title">Explore</h2>
        {frame !== null && (
          <span class="count">
            {subject.rate ? "increase a second" : "mean"}, every {formatDuration(frame.grid.stepMs)}
          </span>
        )}
      </div>
      <div class="card explorer">
        <div class="fields">
          <MetricPicker
            metrics={metrics ?? []}
            chosen={metric?.name ?? state.metric}
            onChoice={(name) => change({ metric: name, series: "" })}
          />
          <label class="series-filter">
            <span class="field-name">Series</span>
            <input
              type="text"
              placeholder="All; or a part of label=value"
              value={state.series}
              spellcheck={false}
              autocomplete="off"
              onInput={(event) => change({ series: event.currentTarget.value })}
            />
          </label>
        </div>
        <div class="body" ref={body}>
          {drawn ? (
            <Plot
              widthPx={width}
              heightPx={HEIGHT_PX}
              seconds={seconds}
              lines={values}
              styles={styles}
              unit={subject.unit}
              axisMax={null}
              fromZero={subject.rate || subject.unit === "ratio"}
              span={[frame.grid.startMs / 1_000, frame.grid.endMs / 1_000]}
              onCursor={setCursor}
            />
          ) : (
            <p class="chart-note large">{emptyText(metric, metrics, frame, problem)}</p>
          )}
        </div>
        {problem !== "" && drawn && <p class="chart-note">Could not be refreshed: {problem}</p>}
        <Missing of="This chart" missing={view?.missing ?? []} />
        {drawn && (
          <>
            <Legend frame={frame} hosts={hosts} styles={styles} unit={subject.unit} cursor={cursor} />
            {frame.omitted > 0 && (
              <p class="note">
                The {LINES_MAX} series with the highest last values of {LINES_MAX + frame.omitted}; narrow
                them by a label.
              </p>
            )}
            <ValuesTable caption={subject.title} frame={frame} hosts={hosts} unit={subject.unit} />
          </>
        )}
      </div>
    </section>
  );
}

/** The named metric; without a name the first vital that has no more series than lines, else the first metric. */
function chosenMetric(metrics: readonly Metric[], name: string): Metric | undefined {
  if (name !== "") return metrics.find((metric) => metric.name === name);
  const clear = metrics.filter((metric) => metric.series <= LINES_MAX);
  const vitals = CHART_VITALS.flatMap((vital) => clear.find((metric) => metric.name === vital.name) ?? []);
  return vitals[0] ?? metrics[0];
}

function emptyText(
  metric: Metric | undefined,
  metrics: readonly Metric[] | null,
  frame: Frame | null,
  problem: string,
): string {
  if (problem !== "") return `Could not be loaded: ${problem}`;
  if (metrics !== null && metric === undefined) return "These hosts do not have this metric.";
  return frame === null ? "Loading" : "No values in this range of time.";
}

interface LegendProps {
  readonly frame: Frame;
  readonly hosts: readonly string[];
  readonly styles: readonly LineStyle[];
  readonly unit: Unit;
  /** The instant under the pointer, by its place; null when there is none. */
  readonly cursor: number | null;
}

function Legend({ frame, hosts, styles, unit, cursor }: LegendProps): VNode {
  const atSecond = cursor === null ? null : (frame.grid.startMs + cursor * frame.grid.stepMs) / 1_000;
  return (
    <table class="legend-table">
      <thead>
        <tr>
          <th scope="col">Series</th>
          <th scope="col">{atSecond === null ? "Last" : formatClock(atSecond, 1)}</th>
          <th scope="col">Min</th>
          <th scope="col">Mean</th>
          <th scope="col">Max</th>
        </tr>
      </thead>
      <tbody>
        {frame.lines.map((line, index) => {
          const { last, min, mean, max } = summarise(line.values);
          const current = cursor === null ? last : (line.values[cursor] ?? undefined);
          return (
            <tr key={lineTitle(line, hosts)}>
              <th scope="row">
                <Swatch style={styles[index]!} />
                {lineTitle(line, hosts)}
              </th>
              {[current, min, mean, max].map((value, column) => (
                // By place: the columns are always the same four
                <td key={column}>
                  <data value={value}>{formatValue(value, unit)}</data>
                </td>
              ))}
            </tr>
          );
        })}
      </tbody>
    </table>
  );
}
