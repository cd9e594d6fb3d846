import { create } from "@bufbuild/protobuf";
import { BrokerState, Reason, type StatusResponse, StatusResponseSchema } from "@mon/proto";
import { describe, expect, it } from "vitest";
import { type HealthInputs, healthOf } from "../src/health.ts";
import { pointFromStatus, withPoint } from "../src/intake-history.ts";
import { hostRow } from "./support/host-row.ts";

const status = (change: Parameters<typeof create<typeof StatusResponseSchema>>[1] = {}): StatusResponse =>
  create(StatusResponseSchema, {
    state: BrokerState.SERVING,
    timeMs: 1_700_000_000_000n,
    uptimeMs: 60_000n,
    intake: { samplesPerSecond: 412, ackLatency: { count: 10n, p50Ms: 1, p99Ms: 1.8 } },
    ...(change as object),
  });
const inputs = (change: Partial<HealthInputs> = {}): HealthInputs => ({
  status: status(),
  silenceMs: 0,
  failing: false,
  hosts: [hostRow({ id: "web-1" }), hostRow({ id: "web-2" })],
  history: [],
  ...change,
});
const said = (change: Partial<HealthInputs>): string => {
  const { level, verdict, detail } = healthOf(inputs(change));
  return `${level}: ${verdict}: ${detail}`.replaceAll("\u00a0", " ");
};

describe("the sentence on health", () => {
  it("gives the figures when all is well", () => {
    expect(said({})).toBe("good: All well: 2 hosts reporting, 412 samples/s stored, acks in 1.80 ms (p99).");
  });

  it("says that nobody has reported yet", () => {
    expect(said({ hosts: [] })).toBe("waiting: Ready: No host has reported yet.");
  });

  it("names hosts that went quiet", () => {
    const hosts = ["a", "b", "c", "d"].map((id) => hostRow({ id, freshness: "stale" }));
    expect(said({ hosts })).toContain("warning: Needs a look: 4 of 4 hosts went quiet: a, b, c and 1 more.");
  });

  it("forgets hosts that have been quiet for a day", () => {
    const gone = hostRow({ id: "old", freshness: "silent", lastSeenMs: 1_700_000_000_000 - 86_400_001 });
    expect(said({ hosts: [hostRow({}), gone] })).toContain("good: All well: 1 host reporting");
  });

  it("says what was rejected in the past minute", () => {
    const at = (timeMs: bigint, count: bigint): StatusResponse =>
      status({
        timeMs,
        uptimeMs: timeMs,
        intake: { rejections: [{ reason: Reason.TIMESTAMP_TOO_OLD, count }] },
      });
    const history = withPoint([pointFromStatus(at(1_000n, 5n))], pointFromStatus(at(3_000n, 17n)));
    expect(said({ history })).toContain("12 rejected in the past minute: timestamp too old.");
  });

  it("says that the store is behind", () => {
    const full = status({ intake: { bytesInFlight: 90n, bytesInFlightMax: 100n } });
    expect(said({ status: full })).toContain("take 90.0 % of their bound");
  });

  it("gives the broker's own reasons first", () => {
    const degraded = status({ state: BrokerState.DEGRADED, problems: ["the disk is full"] });
    expect(said({ status: degraded })).toBe("bad: Degraded: The disk is full.");
    expect(said({ status: status({ state: BrokerState.STARTING }) })).toContain("waiting: Starting");
    expect(said({ status: status({ state: BrokerState.DRAINING }) })).toContain("warning: Stopping");
    expect(said({ status: status({ store: { damage: ["block 7 is damaged"] } }) })).toBe(
      "bad: Trouble: Block 7 is damaged.",
    );
  });

  it("says that the broker does not answer", () => {
    expect(said({ silenceMs: 12_000 })).toContain("bad: No answer: The broker has not answered for 12 s.");
    expect(said({ status: null, silenceMs: null, failing: true })).toContain("bad: No connection");
    expect(said({ status: null, silenceMs: null })).toContain("waiting: Connecting");
  });
});
