import type { VNode } from "preact";
import { type Freshness, formatAge, formatInstant } from "./freshness.ts";
import { type HostRow, hasVitals } from "./host.ts";
import { Icon, type IconName } from "./icon.tsx";
import { lineStyle } from "./palette.ts";
import { formatCount, formatDuration, formatValue, unitOfMetric } from "./unit.ts";

interface HostLineProps {
  readonly row: HostRow;
  /** Its place in the list, from 0. */
  readonly index: number;
  readonly topPx: number;
  readonly active: boolean;
  /** Its place among the hosts in the charts; negative when it is not shown there. */
  readonly place: number;
  /** The broker's clock. */
  readonly nowMs: number;
  /** Whether nobody knows how fresh it is. */
  readonly outdated: boolean;
  readonly onClick: () => void;
}

const FRESHNESS: Readonly<Record<Freshness, { icon: IconName; text: string }>> = {
  fresh: { icon: "good", text: "Fresh" },
  stale: { icon: "warning", text: "Stale" },
  silent: { icon: "bad", text: "Silent" },
  never: { icon: "waiting", text: "No data yet" },
};

const UNKNOWN = { icon: "waiting", text: "Seen" } as const;

/** One host in the table. */
export function HostLine({
  row,
  index,
  topPx,
  active,
  place,
  nowMs,
  outdated,
  onClick,
}: HostLineProps): VNode {
  const shown = place >= 0;
  const { icon, text } = outdated ? UNKNOWN : FRESHNESS[row.freshness];
  return (
    <div
      role="row"
      id={`host-${row.id}`}
      class={`row ${row.freshness}${active ? " active" : ""}${shown ? " shown" : ""}`}
      aria-rowindex={index + 2}
      aria-selected={shown}
      style={{ transform: `translateY(${topPx}px)` }}
      onClick={onClick}
    >
      <span role="gridcell" class="cell chip">
        <span class={shown ? `box line-${lineStyle(place).colour}` : "box"}>
          {shown && <Icon name="chosen" />}
        </span>
      </span>
      <span role="rowheader" class="cell host" title={row.agent === "" ? row.id : `${row.id}: ${row.agent}`}>
        {row.id}
      </span>
      <span role="gridcell" class={`cell seen ${row.freshness}`}>
        <Icon name={icon} />
        <span>{text}</span>
        {row.lastSeenMs > 0 && (
          <time dateTime={new Date(row.lastSeenMs).toISOString()} title={formatInstant(row.lastSeenMs)}>
            {formatAge(row.lastSeenMs, nowMs)}
          </time>
        )}
      </span>
      {hasVitals(row) ? <VitalCells row={row} /> : <RecentCell row={row} />}
      <span role="gridcell" class="cell series">
        <span class="label">series</span>
        <data value={row.series}>{formatCount(row.series)}</data>
      </span>
    </div>
  );
}

function VitalCells({ row }: { row: HostRow }): VNode {
  const { cpu, memory, disk, load, uptime } = row.vitals;
  return (
    <>
      <Share id="cpu" label="CPU" value={cpu} />
      <Share id="memory" label="Mem" value={memory} />
      <Share id="disk" label="Disk" value={disk} />
      <span role="gridcell" class="cell load">
        <span class="label">Load</span>
        <data value={load}>{load === undefined ? "–" : load.toFixed(2)}</data>
      </span>
      <span role="gridcell" class="cell uptime">
        <data value={uptime}>{uptime === undefined ? "–" : formatDuration(uptime * 1_000)}</data>
      </span>
    </>
  );
}

interface ShareProps {
  readonly id: string;
  readonly label: string;
  readonly value: number | undefined;
}

/** A part of a whole, with a bar. */
function Share({ id, label, value }: ShareProps): VNode {
  const part = Math.min(1, Math.max(0, value ?? 0));
  const level = part >= 0.9 ? "high" : "";
  return (
    <span role="gridcell" class={`cell share ${id}`}>
      <span class="label">{label}</span>
      <data value={value}>{formatValue(value, "ratio")}</data>
      <span class={`meter ${level}`} aria-hidden="true">
        <span style={{ width: `${part * 100}%` }} />
      </span>
    </span>
  );
}

/** The newest metrics of a host that reports none of the figures in the columns. */
function RecentCell({ row }: { row: HostRow }): VNode {
  return (
    <span role="gridcell" class="cell recent" aria-colspan={5}>
      {row.recent.map(({ name, value }) => (
        <span key={name}>
          {name} <data value={value}>{formatValue(value, unitOfMetric(name))}</data>
        </span>
      ))}
    </span>
  );
}
