import { Kind, type Metric } from "@mon/proto";
import type { VNode } from "preact";
import { useEffect, useMemo, useRef, useState } from "preact/hooks";
import { Icon } from "./icon.tsx";
import { searchMetrics } from "./metric-search.ts";
import { formatCount } from "./unit.ts";

interface MetricPickerProps {
  readonly metrics: readonly Metric[];
  readonly chosen: string;
  readonly onChoice: (name: string) => void;
}

/** A field with a list of metrics that narrows while one types (the combobox pattern of ARIA 1.2). */
export function MetricPicker({ metrics, chosen, onChoice }: MetricPickerProps): VNode {
  /** What is typed; null while the list is closed. */
  const [text, setText] = useState<string | null>(null);
  const [active, setActive] = useState(0);
  const list = useRef<HTMLDivElement>(null);
  const open = text !== null;
  const matches = useMemo(() => searchMetrics(metrics, text ?? ""), [metrics, text]);

  useEffect(() => {
    list.current?.querySelector(".active")?.scrollIntoView({ block: "nearest" });
  });

  const show = (typed: string): void => {
    setText(typed);
    setActive(Math.max(0, typed === "" ? searchMetrics(metrics, "").findIndex((m) => m.name === chosen) : 0));
  };
  const choose = (metric: Metric | undefined): void => {
    if (metric === undefined) return;
    onChoice(metric.name);
    setText(null);
  };
  const keyDown = (event: KeyboardEvent): void => {
    if (event.key === "ArrowDown" || event.key === "ArrowUp") {
      event.preventDefault();
      if (!open) show("");
      else
        setActive(Math.max(0, Math.min(matches.length - 1, active + (event.key === "ArrowDown" ? 1 : -1))));
    } else if (event.key === "Enter" && open) {
      event.preventDefault();
      choose(matches[active]);
    } else if (event.key === "Escape" && open) {
      event.preventDefault();
      setText(null);
    }
  };

  return (
    <div class="picker">
      <label>
        <span class="field-name">Metric</span>
        <input
          type="text"
          role="combobox"
          aria-expanded={open}
          aria-controls="metric-list"
          aria-autocomplete="list"
          aria-activedescendant={open && matches.length > 0 ? `metric-${active}` : undefined}
          placeholder={chosen === "" ? "Choose a metric" : chosen}
          value={text ?? chosen}
          spellcheck={false}
          autocomplete="off"
          onFocus={() => show("")}
          onClick={() => !open && show("")}
          onInput={(event) => show(event.currentTarget.value)}
          onKeyDown={keyDown}
          onBlur={() => setText(null)}
        />
      </label>
      <Icon name="open" />
      {open && (
        <div id="metric-list" role="listbox" aria-label="Metrics" class="card" ref={list}>
          {matches.map((metric, index) => (
            <div
              key={metric.name}
              id={`metric-${index}`}
              role="option"
              aria-selected={metric.name === chosen}
              class={index === active ? "active" : ""}
              // The field must keep the focus, or the list would close before the click.
              onMouseDown={(event) => event.preventDefault()}
              onClick={() => choose(metric)}
            >
              <span class="name">{metric.name}</span>
              <span class="muted">
                {metric.kind === Kind.COUNTER ? "counter, " : ""}
                {formatCount(metric.series)} series
              </span>
            </div>
          ))}
          {matches.length === 0 && <p class="nothing">No metric contains “{text}”.</p>}
        </div>
      )}
    </div>
  );
}
