import type { VNode } from "preact";
import { useEffect, useMemo, useRef, useState } from "preact/hooks";
import { choiceAfterClick } from "./choice.ts";
import { formatInstant } from "./freshness.ts";
import { gridAction } from "./grid-key.ts";
import { plural } from "./health.ts";
import { HostLine } from "./host-line.tsx";
import { listHosts, rowWindow } from "./host-list.ts";
import { HostsHead } from "./hosts-head.tsx";
import { Icon } from "./icon.tsx";
import { Missing } from "./missing.tsx";
import { usePageTools } from "./page-context.ts";
import { HOSTS_MAX, type PageState } from "./page-state.ts";
import type { HostsView } from "./use-hosts.ts";
import { useWidth } from "./use-width.ts";

interface HostsProps {
  readonly view: HostsView;
  readonly state: PageState;
  readonly change: (change: Partial<PageState>) => void;
  /** Hosts whose charts are shown. */
  readonly chosen: readonly string[];
  /** Whether the broker does not answer, so that nobody knows how fresh its hosts are. */
  readonly outdated: boolean;
}

/** Heights of the head and of a row in CSS pixels; the style sheet has the same. Two lines when narrow. */
const HEAD_PX = 34;
const ROW_PX = 34;
const ROW_NARROW_PX = 56;
const NARROW_PX = 640;
/** Rows that are in view at most, before the table scrolls. */
const ROWS_IN_VIEW = 12;

/** The table of hosts: last values, freshness, search, order, choice. Draws only the rows in view. */
export function Hosts({ view, state, change, chosen, outdated }: HostsProps): VNode {
  const { clock } = usePageTools();
  const [frame, width] = useWidth<HTMLDivElement>();
  const scroller = useRef<HTMLDivElement>(null);
  const grid = useRef<HTMLDivElement>(null);
  const search = useRef<HTMLInputElement>(null);
  const [scrollTop, setScrollTop] = useState(0);
  const [activeId, setActiveId] = useState<string | null>(null);

  const rows = useMemo(
    () => listHosts(view.rows, state.search, state.sort),
    [view.rows, state.search, state.sort],
  );
  const narrow = width > 0 && width < NARROW_PX;
  const rowPx = narrow ? ROW_NARROW_PX : ROW_PX;
  const viewPx = Math.min(rows.length, narrow ? 7 : ROWS_IN_VIEW) * rowPx;
  const { first, end } = rowWindow(scrollTop, viewPx, rowPx, rows.length);
  const shown = rows.slice(first, end);
  view.look(shown.map((row) => row.id));
  const nowMs = clock.now();

  useEffect(() => {
    const slash = (event: KeyboardEvent): void => {
      const typing = event.target instanceof HTMLElement && event.target.closest("input, textarea, select");
      if (event.key !== "/" || typing || event.ctrlKey || event.metaKey || event.altKey) return;
      event.preventDefault();
      search.current?.focus();
      search.current?.select();
    };
    addEventListener("keydown", slash);
    return () => removeEventListener("keydown", slash);
  }, []);

  const toggle = (id: string): void => change({ hosts: choiceAfterClick(state.hosts, id) });

  const moveTo = (index: number): void => {
    const row = rows[index];
    const box = scroller.current;
    if (row === undefined || box === null) return;
    setActiveId(row.id);
    box.scrollTop = Math.min(index * rowPx, Math.max(box.scrollTop, (index + 1) * rowPx - viewPx));
  };

  const keyInGrid = (event: KeyboardEvent): void => {
    if (event.target !== grid.current) return;
    const place = {
      active: rows.findIndex((row) => row.id === activeId),
      rows: rows.length,
      rowsInView: Math.floor(viewPx / rowPx),
    };
    const action = gridAction(event.key, place);
    if (action === null) return;
    if (action.kind === "move") moveTo(action.to);
    else if (action.kind === "toggle") toggle(rows[action.row]!.id);
    else if (action.kind === "clear") change({ hosts: [] });
    else search.current?.focus();
    event.preventDefault();
  };

  const keyInSearch = (event: KeyboardEvent): void => {
    if (event.key === "Escape") {
      if (state.search === "") search.current?.blur();
      else change({ search: "" });
    } else if (event.key === "ArrowDown" || event.key === "Enter") {
      event.preventDefault();
      grid.current?.focus();
      moveTo(0);
    }
  };

  const active = rows.findIndex((row) => row.id === activeId);
  const activeShown = active >= first && active < end;

  return (
    <section id="hosts" aria-labelledby="hosts-title">
      <div class="section-head">
        <h2 id="hosts-title">Hosts</h2>
        <span class="count">{countText(rows.length, view)}</span>
        <label class="search">
          <Icon name="search" />
          <span class="hidden">Search hosts</span>
          <input
            ref={search}
            type="search"
            placeholder="Search hosts"
            value={state.search}
            spellcheck={false}
            autocomplete="off"
            onInput={(event) => change({ search: event.currentTarget.value })}
            onKeyDown={keyInSearch}
          />
          <kbd>/</kbd>
        </label>
      </div>
      <Missing of="Last values" missing={view.missing} />
      <div class="card hosts" ref={frame}>
        <div
          ref={grid}
          role="grid"
          tabIndex={0}
          class={`grid${narrow ? " narrow" : ""}`}
          aria-labelledby="hosts-title"
          aria-multiselectable="true"
          aria-rowcount={rows.length + 1}
          aria-activedescendant={activeShown ? `host-${activeId}` : undefined}
          onKeyDown={keyInGrid}
          onFocus={(event) => {
            if (event.target === grid.current && active < 0 && rows.length > 0) setActiveId(rows[first]!.id);
          }}
        >
          <div
            ref={scroller}
            role="presentation"
            class="scroller"
            style={{ height: `${HEAD_PX + viewPx}px` }}
            onScroll={(event) => setScrollTop(event.currentTarget.scrollTop)}
          >
            <div role="rowgroup" class="head-group">
              <HostsHead sort={state.sort} onSort={(sort) => change({ sort })} />
            </div>
            <div role="rowgroup" class="rows" style={{ height: `${rows.length * rowPx}px` }}>
              {shown.map((row, index) => (
                <HostLine
                  key={row.id}
                  row={row}
                  index={first + index}
                  topPx={(first + index) * rowPx}
                  active={row.id === activeId}
                  place={chosen.indexOf(row.id)}
                  nowMs={nowMs}
                  outdated={outdated}
                  onClick={() => {
                    setActiveId(row.id);
                    toggle(row.id);
                  }}
                />
              ))}
            </div>
          </div>
        </div>
        {rows.length === 0 && (
          <p class="nothing">
            No host contains “{state.search}”.{" "}
            <button type="button" class="link" onClick={() => change({ search: "" })}>
              Show all
            </button>
          </p>
        )}
      </div>
      <p class="note">
        {state.hosts.length > 0
          ? `${plural(state.hosts.length, "host")} chosen for the charts, at most ${HOSTS_MAX}. `
          : "Choose hosts to compare them in the charts. "}
        <span class="wide">
          <kbd>/</kbd> search <kbd>↑</kbd> <kbd>↓</kbd> move <kbd>Enter</kbd> choose <kbd>Esc</kbd> clear
        </span>
        <span class="hidden">Times are by the broker's clock, now {formatInstant(nowMs)}.</span>
      </p>
    </section>
  );
}

function countText(found: number, view: HostsView): string {
  const known = view.rows.length;
  const exact = (count: number): string => count.toLocaleString("en");
  const all = exact(view.total);
  if (found < known) return `${exact(found)} of ${all}`;
  if (!view.complete) return `${exact(known)} of ${all}, loading`;
  return known < view.total ? `the first ${exact(known)} of ${all}` : all;
}
