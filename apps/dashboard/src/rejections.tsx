import type { ReasonCount } from "@mon/proto";
import type { VNode } from "preact";
import { Icon } from "./icon.tsx";
import { type IntakePoint, recentRejections } from "./intake-history.ts";
import { adviceFor } from "./rejection.ts";
import { formatCount } from "./unit.ts";

interface RejectionsProps {
  /** Since the broker started. */
  readonly counts: readonly ReasonCount[];
  readonly history: readonly IntakePoint[];
}

/** What the broker turned away for good, why, and what to do about it. */
export function Rejections({ counts, history }: RejectionsProps): VNode {
  const recent = recentRejections(history, 60_000);
  const rows = counts.filter(({ count }) => count > 0n).sort((a, b) => Number(b.count - a.count));
  return (
    <div class="card rejections">
      <h3>Rejections</h3>
      {rows.length === 0 ? (
        <p class="nothing good">
          <Icon name="good" /> Nothing rejected since the broker started.
        </p>
      ) : (
        <table>
          <thead>
            <tr>
              <th scope="col">Reason</th>
              <th scope="col" class="number">
                Past minute
              </th>
              <th scope="col" class="number">
                Since start
              </th>
              <th scope="col">What to do</th>
            </tr>
          </thead>
          <tbody>
            {rows.map(({ reason, count }) => (
              <tr key={reason}>
                <th scope="row">{adviceFor(reason).title}</th>
                <td class="number">{formatCount(recent.get(reason) ?? 0)}</td>
                <td class="number">
                  <data value={String(count)}>{formatCount(Number(count))}</data>
                </td>
                <td class="remedy">{adviceFor(reason).remedy}</td>
              </tr>
            ))}
          </tbody>
        </table>
      )}
    </div>
  );
}
