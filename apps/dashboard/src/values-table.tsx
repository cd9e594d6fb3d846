import type { VNode } from "preact";
import { type Frame, gridSeconds } from "./frame.ts";
import { lineTitle } from "./line-title.ts";
import { formatClock } from "./time-axis.ts";
import { formatValue, type Unit } from "./unit.ts";

interface ValuesTableProps {
  readonly caption: string;
  readonly frame: Frame;
  readonly hosts: readonly string[];
  readonly unit: Unit;
}

/** The newest instants of a chart that the table says, at most. */
const INSTANTS_MAX = 20;

/** What a chart draws, in words, for those who do not see it: the newest values of each line. */
export function ValuesTable({ caption, frame, hosts, unit }: ValuesTableProps): VNode {
  const seconds = gridSeconds(frame.grid);
  const first = Math.max(0, seconds.length - INSTANTS_MAX);
  return (
    <div class="hidden">
      <table>
        <caption>
          {caption}: newest values, every {frame.grid.stepMs / 1_000} seconds
        </caption>
        <thead>
          <tr>
            <th scope="col">Time</th>
            {frame.lines.map((line) => (
              <th scope="col" key={lineTitle(line, hosts)}>
                {lineTitle(line, hosts)}
              </th>
            ))}
          </tr>
        </thead>
        <tbody>
          {seconds.slice(first).map((second, index) => (
            <tr key={second}>
              <th scope="row">
                <time dateTime={new Date(second * 1_000).toISOString()}>{formatClock(second, 1)}</time>
              </th>
              {frame.lines.map((line) => {
                const value = line.values[first + index] ?? undefined;
                return (
                  <td key={lineTitle(line, hosts)}>
                    <data value={value}>{formatValue(value, unit)}</data>
                  </td>
                );
              })}
            </tr>
          ))}
        </tbody>
      </table>
    </div>
  );
}
