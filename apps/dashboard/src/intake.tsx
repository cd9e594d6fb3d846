import type { StatusResponse } from "@mon/proto";
import type { ComponentChildren, VNode } from "preact";
import { DURABILITY_NAMES } from "./durability.ts";
import { HistoryChart } from "./history-chart.tsx";
import type { IntakePoint } from "./intake-history.ts";
import { Rejections } from "./rejections.tsx";
import { formatCount, formatDuration, formatValue } from "./unit.ts";

interface IntakeProps {
  readonly status: StatusResponse;
  readonly history: readonly IntakePoint[];
}

/** What the broker takes in and how quickly, what it turns away, and how its store and process are. */
export function Intake({ status, history }: IntakeProps): VNode {
  const { intake, store, process } = status;
  const latency = intake?.ackLatency;
  const measured = latency !== undefined && latency.count > 0n;
  const inFlight = Number(intake?.bytesInFlight ?? 0);
  const bound = Number(intake?.bytesInFlightMax ?? 0);
  return (
    <section id="intake" aria-labelledby="intake-title">
      <div class="section-head">
        <h2 id="intake-title">Intake</h2>
        <span class="count">rates and latencies since this page was opened, at most an hour</span>
      </div>
      <div class="intake">
        <HistoryChart
          title="Samples stored"
          unit="per second"
          points={history}
          lines={[{ name: "", value: (point) => point.samplesPerSecond }]}
        />
        <HistoryChart
          title="Time to acknowledge"
          unit="milliseconds"
          points={history}
          lines={[
            { name: "p50", value: (point) => point.ackP50Ms },
            { name: "p99", value: (point) => point.ackP99Ms },
          ]}
        />
        <div class="card facts">
          <Facts title="Intake">
            <Fact name="Reports">
              {formatCount(Number(intake?.reports ?? 0))}{" "}
              <small>{formatValue(intake?.reportsPerSecond ?? 0, "per second")}</small>
            </Fact>
            <Fact name="Samples">{formatCount(Number(intake?.samples ?? 0))}</Fact>
            <Fact name="In flight">
              {formatValue(inFlight, "bytes")} <small>of {formatValue(bound, "bytes")}</small>
              <meter
                min={0}
                max={bound || 1}
                high={(bound || 1) * 0.8}
                value={inFlight}
                aria-label="Bytes in flight"
              />
            </Fact>
            <Fact name="Streams">{formatCount(intake?.streams ?? 0)}</Fact>
            <Fact name="Sent again">{formatCount(Number(intake?.reportsRepeated ?? 0))}</Fact>
            <Fact name="Refused for now">{formatCount(Number(intake?.reportsRefused ?? 0))}</Fact>
            <Fact name="Longest ack">{measured ? formatValue(latency.maxMs, "milliseconds") : "–"}</Fact>
            <Fact name="Times converted">{formatCount(Number(intake?.timestampsConverted ?? 0))}</Fact>
          </Facts>
          <Facts title="Store">
            <Fact name="Kind">
              {store?.kind ?? "–"} <small>{DURABILITY_NAMES[store?.durability ?? 0]}</small>
            </Fact>
            <Fact name="Size">{formatValue(Number(store?.bytes ?? 0), "bytes")}</Fact>
            <Fact name="Hosts">{formatCount(Number(store?.hosts ?? 0))}</Fact>
            <Fact name="Series">{formatCount(Number(store?.series ?? 0))}</Fact>
            <Fact name="Kept for">{formatDuration(Number(store?.retentionMs ?? 0))}</Fact>
            <Fact name="Conflicts">{formatCount(Number(store?.conflicts ?? 0))}</Fact>
          </Facts>
          <Facts title="Process">
            <Fact name="Id">{process?.pid ?? "–"}</Fact>
            <Fact name="Memory">{formatValue(Number(process?.residentBytes ?? 0), "bytes")}</Fact>
            <Fact name="Heap">{formatValue(Number(process?.heapBytes ?? 0), "bytes")}</Fact>
            <Fact name="Processor time">{formatValue(process?.cpuSeconds ?? 0, "seconds")}</Fact>
            <Fact name="Loop delay, p99">
              {formatValue(process?.eventLoopDelayP99Ms ?? 0, "milliseconds")}
            </Fact>
            <Fact name="Up">{formatDuration(Number(status.uptimeMs))}</Fact>
          </Facts>
        </div>
        <Rejections counts={intake?.rejections ?? []} history={history} />
      </div>
    </section>
  );
}

function Facts({ title, children }: { title: string; children: ComponentChildren }): VNode {
  return (
    <div>
      <h3>{title}</h3>
      <dl>{children}</dl>
    </div>
  );
}

function Fact({ name, children }: { name: string; children: ComponentChildren }): VNode {
  return (
    <div>
      <dt>{name}</dt>
      <dd>{children}</dd>
    </div>
  );
}
