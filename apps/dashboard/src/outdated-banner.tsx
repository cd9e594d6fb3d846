import type { VNode } from "preact";
import { Icon } from "./icon.tsx";
import { formatClock } from "./time-axis.ts";
import { formatDuration } from "./unit.ts";
import { STATUS_INTERVAL_MS } from "./use-status.ts";

interface OutdatedBannerProps {
  /** When the broker last answered, by this machine's clock. */
  readonly answeredAtMs: number;
  readonly silenceMs: number;
}

/** Says that what the page shows is out of date, and since when. Stays in view while the page scrolls. */
export function OutdatedBanner({ answeredAtMs, silenceMs }: OutdatedBannerProps): VNode {
  return (
    <div class="banner">
      <Icon name="warning" />
      <span>
        <strong role="alert">Stale data.</strong> Last answer {formatDuration(silenceMs)} ago, at{" "}
        {formatClock(answeredAtMs / 1_000, 1)}. Asking again every {STATUS_INTERVAL_MS / 1_000}
        {" s."}
      </span>
    </div>
  );
}
