import { mkdtemp, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { toBinary } from "@bufbuild/protobuf";
import { Kind, Reason, ReportSchema } from "@mon/proto";
import { expect, test } from "vitest";
import { TestAuthority } from "../../../tools/build/certificate.ts";
import { AgentProcess } from "./agent-process.ts";
import { TestBroker } from "./broker.ts";
import { reportBytesOf } from "./report-bytes-of.ts";

/** Starting Node and reading the machine takes its time where eight others do the same. */
const timeout = 20_000;

test("--once sends this machine's samples, waits for the outcome, and says what became of them", {
  timeout,
}, async () => {
  await using broker = await TestBroker.start();
  await using agent = new AgentProcess(["--once", "--broker", broker.url, "--host-id", "web-1"]);
  expect(await agent.exit()).toBe(0);
  const [report] = broker.reports;
  expect(broker.reports.length).toBe(1);
  expect(report?.hostId).toBe("web-1");
  expect(Math.abs(Number(report?.timestampMs) - Date.now())).toBeLessThan(timeout);
  const names = new Set(report?.samples.map(({ name }) => name));
  for (const name of [
    "system_cpu_utilization_ratio",
    "system_cpu_load_average_1m",
    "system_memory_usage_bytes",
    "system_filesystem_usage_bytes",
    "system_network_io_bytes_total",
    "system_process_count",
    "system_uptime_seconds",
  ]) {
    expect(names).toContain(name);
  }
  expect(report?.samples.find(({ name }) => name === "system_network_io_bytes_total")?.kind).toBe(
    Kind.COUNTER,
  );
  // Canonical (R2): sorting it again changes no byte.
  expect(Buffer.from(toBinary(ReportSchema, report!)).equals(reportBytesOf(report!))).toBe(true);
  const count = report?.samples.length;
  expect(agent.stdout).toBe(`web-1: ${count} samples sent, ${count} stored, 0 rejected\n`);
});

test("--once exits with 1 when a broker did not store everything, and says why", { timeout }, async () => {
  await using broker = await TestBroker.start(() => ({
    rejections: [
      {
        sampleIndex: 0,
        reason: Reason.NAME_INVALID,
        field: "reports[0].samples[0].name",
        message: "no such name",
      },
    ],
  }));
  await using agent = new AgentProcess(["--once", "--broker", broker.url, "--include", "load"]);
  expect(await agent.exit()).toBe(1);
  expect(agent.stderr).toMatch(
    /3 samples sent, 2 stored, 1 rejected\nreports\[0\].samples\[0\].name: no such name/,
  );
});

test("over TLS it reports to a broker whose authority it is told of, and to no other", {
  timeout,
}, async () => {
  const authority = new TestAuthority();
  const directory = await mkdtemp(join(tmpdir(), "mon-agent-test-"));
  const ca = join(directory, "ca.pem");
  const stranger = join(directory, "stranger.pem");
  await writeFile(ca, authority.certificate);
  await writeFile(stranger, new TestAuthority("somebody else").certificate);
  await using broker = await TestBroker.start(undefined, authority.issue());
  const args = ["--once", "--include", "load", "--broker", broker.url];
  await using told = new AgentProcess([...args, "--ca", ca]);
  expect(await told.exit()).toBe(0);
  expect(broker.reports).toHaveLength(1);
  await using mistaken = new AgentProcess(args, { MON_AGENT_CA: stranger });
  expect(await mistaken.exit()).toBe(5);
  expect(mistaken.stderr).toContain("certificate");
  await using unread = new AgentProcess([...args, "--ca", join(directory, "none.pem")]);
  expect(await unread.exit()).toBe(2);
  expect(unread.stderr).toMatch(/expected --ca to be a file that can be read, got ENOENT/);
  expect(broker.reports).toHaveLength(1);
  await rm(directory, { recursive: true });
});

test("--once exits with 5 when no broker answers, and names each", { timeout }, async () => {
  const args = ["--once", "--broker", "http://127.0.0.1:1,http://127.0.0.1:2", "--include", "load", "--json"];
  await using agent = new AgentProcess(args);
  expect(await agent.exit()).toBe(5);
  const { exitCode, summary } = JSON.parse(agent.stdout);
  expect(exitCode).toBe(5);
  expect(summary).toMatch(/^no broker took the report of 3 samples/);
  expect(summary).toMatch(/127.0.0.1:1: .*ECONNREFUSED/);
  expect(summary).toMatch(/127.0.0.1:2: .*ECONNREFUSED/);
});

test("it registers, reports at its interval, and at SIGTERM sends what is left and exits with 0", {
  timeout,
}, async () => {
  await using broker = await TestBroker.start();
  const args = ["--interval", "100ms", "--host-id", "web-1", "--exclude", "process"];
  await using agent = new AgentProcess(args, { MON_AGENT_BROKER: broker.url });
  await broker.until(() => broker.reports.length >= 4 && broker.registrations.length === 1);
  agent.signal("SIGTERM");
  expect(await agent.exit()).toBe(0);
  expect(broker.registrations[0]).toMatchObject({
    hostId: "web-1",
    agentName: "mon-agent",
    agentVersion: "0.1.0",
  });
  const times = broker.reports.map(({ timestampMs }) => Number(timestampMs));
  for (let index = 1; index < times.length; index += 1)
    expect(times[index]).toBeGreaterThan(times[index - 1]!);
  // Rounds keep to the grid: their mean distance is the interval, or a multiple where the machine is slow.
  expect((times.at(-1)! - times[0]!) / (times.length - 1)).toBeGreaterThan(80);
  const stopped = agent.log.find(({ msg }) => msg === "stopped") as {
    ledger?: { samples: Record<string, number> };
  };
  const { sent, acked, ...rest } = stopped.ledger!.samples;
  const received = broker.reports.reduce((sum, { samples }) => sum + samples.length, 0);
  expect([sent, acked]).toEqual([received, received]);
  expect(rest).toEqual({ rejected: 0, dropped: 0, buffered: 0 });
});

test("a second signal ends it at once, with work under way", { timeout }, async () => {
  await using broker = await TestBroker.start(() => undefined);
  await using agent = new AgentProcess(["--interval", "100ms", "--broker", broker.url]);
  await broker.until(() => broker.reports.length >= 1);
  agent.signal("SIGTERM");
  await agent.logged("stopping");
  agent.signal("SIGINT");
  expect(await agent.exit()).toBe(130);
});

test("--print shows samples and needs no broker", { timeout }, async () => {
  await using text = new AgentProcess(["--print", "--interval", "100ms", "--include", "cpu,uptime"]);
  await using json = new AgentProcess(["--print", "--json", "--interval", "100ms", "--include", "uptime"]);
  expect([await text.exit(), await json.exit()]).toEqual([0, 0]);
  expect(text.stdout).toMatch(/^system_cpu_utilization_ratio\{cpu_mode="busy"\} (0|1|0\.\d{1,4})$/m);
  expect(text.stdout).toMatch(/^system_uptime_seconds [\d.]+$/m);
  expect(JSON.parse(json.stdout).samples).toMatchObject([{ name: "system_uptime_seconds", kind: "gauge" }]);
});

test("a wrong flag exits with 2 and one line that names it", { timeout }, async () => {
  await using agent = new AgentProcess(["--interval", "1x"]);
  expect(await agent.exit()).toBe(2);
  expect(agent.stderr).toMatch(/^error: option '--interval <duration>' argument '1x' is invalid\. .*\n$/);
});
