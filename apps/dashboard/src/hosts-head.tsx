import type { VNode } from "preact";
import { sortAfterClick } from "./host-list.ts";
import { Icon } from "./icon.tsx";
import type { Sort, SortColumn } from "./page-state.ts";

const COLUMNS: readonly { id: SortColumn; title: string; hint: string }[] = [
  { id: "host", title: "Host", hint: "Host id" },
  { id: "seen", title: "Last seen", hint: "Newest data" },
  { id: "cpu", title: "CPU", hint: "Processor time in use" },
  { id: "memory", title: "Memory", hint: "Memory in use" },
  { id: "disk", title: "Disk", hint: "Fullest filesystem" },
  { id: "load", title: "Load", hint: "Load average over one minute" },
  { id: "uptime", title: "Uptime", hint: "Since the machine started" },
  { id: "series", title: "Series", hint: "Series that the host has" },
];

interface HostsHeadProps {
  readonly sort: Sort;
  readonly onSort: (sort: Sort) => void;
}

/** Titles of the columns of hosts; a click sorts. */
export function HostsHead({ sort, onSort }: HostsHeadProps): VNode {
  return (
    <div role="row" class="row head" aria-rowindex={1}>
      <span role="columnheader" class="cell chip">
        <span class="hidden">Shown in charts</span>
      </span>
      {COLUMNS.map(({ id, title, hint }) => {
        const sorted = sort.column === id;
        const direction = sort.descending ? "descending" : "ascending";
        return (
          <span key={id} role="columnheader" class={`cell ${id}`} aria-sort={sorted ? direction : "none"}>
            <button type="button" title={`${hint}. Sort`} onClick={() => onSort(sortAfterClick(sort, id))}>
              {title}
              {sorted && <Icon name={direction} />}
            </button>
          </span>
        );
      })}
    </div>
  );
}
