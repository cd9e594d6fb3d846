import type { VNode } from "preact";
import type { LineStyle } from "./palette.ts";

/** A piece of a line, as the chart draws it. */
export function Swatch({ style }: { style: LineStyle }): VNode {
  return (
    <svg class={`swatch line-${style.colour}`} viewBox="0 0 16 8" aria-hidden="true">
      <path d="M0 4h16" stroke-dasharray={style.dash.join(" ")} />
    </svg>
  );
}
