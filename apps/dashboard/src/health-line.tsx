import type { VNode } from "preact";
import type { Health } from "./health.ts";
import { Icon } from "./icon.tsx";

/** The sentence on health at the top of the page. */
export function HealthLine({ health }: { health: Health }): VNode {
  return (
    <p class={`health ${health.level}`}>
      <span class="badge">
        <Icon name={health.level} />
      </span>
      <span>
        {/* Only a change of verdict is read out, not every change of a figure. */}
        <strong role="status">{health.verdict}</strong>
        {": "}
        {health.detail}
      </span>
    </p>
  );
}
