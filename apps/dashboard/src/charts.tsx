import { Kind, type Metric } from "@mon/proto";
import type { VNode } from "preact";
import { ChartCard, type ChartSubject } from "./chart-card.tsx";
import { Icon } from "./icon.tsx";
import type { PageState } from "./page-state.ts";
import { lineStyle } from "./palette.ts";
import { RANGES } from "./step.ts";
import { unitOfMetric } from "./unit.ts";
import { CHART_VITALS } from "./vital.ts";

/** What the charts are of, and of when. */
export interface ChartsProps {
  readonly state: PageState;
  readonly change: (change: Partial<PageState>) => void;
  /** Hosts whose charts are shown. */
  readonly hosts: readonly string[];
  /** Metrics that they have; null while not known. */
  readonly metrics: readonly Metric[] | null;
}

/** As many charts as stand side by side. */
const CHARTS_MAX = 4;

/** Small charts of what every machine has; of a host's first metrics when it has none of that. */
export function Charts({ state, change, hosts, metrics }: ChartsProps): VNode {
  const rangeMs = RANGES.find((range) => range.id === state.range)!.durationMs;
  const subjects = metrics === null ? [] : chartSubjects(metrics);
  return (
    <section id="charts" aria-labelledby="charts-title">
      <div class="section-head sticky">
        <h2 id="charts-title">Charts</h2>
        <ul class="chosen" aria-label="Hosts in the charts">
          {hosts.map((host, place) => (
            <li key={host}>
              <span class={`dot line-${lineStyle(place).colour}`} />
              <span class="name">{host}</span>
              {state.hosts.length > 0 && (
                <button
                  type="button"
                  title={`Take ${host} out of the charts`}
                  onClick={() => change({ hosts: state.hosts.filter((id) => id !== host) })}
                >
                  <Icon name="close" />
                  <span class="hidden">Take {host} out of the charts</span>
                </button>
              )}
            </li>
          ))}
        </ul>
        <fieldset class="ranges">
          <legend class="hidden">Range of time</legend>
          {RANGES.map((range) => (
            <label key={range.id}>
              <input
                type="radio"
                name="range"
                value={range.id}
                checked={range.id === state.range}
                onChange={() => change({ range: range.id })}
              />
              <span>{range.label}</span>
            </label>
          ))}
        </fieldset>
      </div>
      {metrics?.length === 0 && <p class="note">These hosts have no metrics.</p>}
      <div class="charts">
        {subjects.map((subject) => (
          <ChartCard key={subject.name} subject={subject} hosts={hosts} rangeMs={rangeMs} />
        ))}
      </div>
    </section>
  );
}

function chartSubjects(metrics: readonly Metric[]): ChartSubject[] {
  const names = new Set(metrics.map((metric) => metric.name));
  const vitals = CHART_VITALS.filter((vital) => names.has(vital.name));
  if (vitals.length > 0) return vitals.map((vital) => ({ ...vital, vital }));
  return metrics.slice(0, CHARTS_MAX).map((metric) => subjectOfMetric(metric));
}

/** A metric as it is: a counter by its increase a second. */
export function subjectOfMetric({ name, kind }: Pick<Metric, "name" | "kind">): ChartSubject {
  const rate = kind === Kind.COUNTER;
  const unit = unitOfMetric(name, rate);
  return { title: name, name, rate, unit, axisMax: null, vital: null };
}
