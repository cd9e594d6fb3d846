import { hostname } from "node:os";
import { expect, test } from "vitest";
import { expositionOf } from "../src/exposition.ts";
import { hostIdFromName, isHostId } from "../src/host-id.ts";
import { LogLimiter } from "../src/log-limiter.ts";
import { type Settings, settingsFrom } from "../src/settings.ts";

function settingsOf(...args: string[]): { settings: Settings | undefined; said: string } {
  let said = "";
  const write = (text: string): void => {
    said += text;
  };
  const settings = settingsFrom(args, "1.2.3", { out: write, error: write });
  return { settings: "isUsageError" in settings ? undefined : settings, said };
}

test("without flags it reports this host to the local broker every 15 s", () => {
  expect(settingsOf().settings).toMatchObject({
    brokers: ["http://127.0.0.1:7400"],
    hostId: hostIdFromName(hostname()),
    intervalMs: 15_000,
    task: "report",
    logLevel: "info",
  });
});

test("brokers come repeated, by commas, or both", () => {
  const { settings } = settingsOf("--broker", "http://a:1, http://b:2", "--broker", "http://c:3");
  expect(settings?.brokers).toEqual(["http://a:1", "http://b:2", "http://c:3"]);
});

test("collectors are chosen by name", () => {
  expect([
    ...settingsOf("--include", "cpu,load", "--include", "swap", "--exclude", "load").settings!.collectors,
  ]).toEqual(["cpu", "swap"]);
  expect(settingsOf("--exclude", "process").settings!.collectors.size).toBe(8);
});

test.each([
  [["--broker", "127.0.0.1:7400"], "expected brokers[0] to be http://host:port or https://host:port"],
  [
    ["--broker", "https://a:1,http://b:1", "--ca", "ca.pem"],
    "expected https:// brokers with --ca, got http://b:1",
  ],
  [["--host-id", "-web"], "Expected 1 to 128 of A-Z a-z 0-9 . _ -"],
  [["--interval", "99ms"], "Expected a duration from 100ms to 24h"],
  [["--interval", "15"], "Expected a duration from 100ms to 24h"],
  [
    ["--include", "gpu"],
    "expected a collector (cpu, load, memory, swap, disk, filesystem, network, process, uptime), got gpu",
  ],
  [["--include", "cpu", "--exclude", "cpu"], "expected at least one collector, got none"],
  [["--json"], "--json goes with --print or --once"],
  [["--print", "--once"], "option '--print' cannot be used with option '--once'"],
  [["--log-level", "loud"], "argument 'loud' is invalid"],
  [["extra"], "too many arguments"],
  [["--what"], "unknown option '--what'"],
])("%j is refused, and the complaint names what is wrong", (args, message) => {
  const { settings, said } = settingsOf(...args);
  expect(settings).toBeUndefined();
  expect(said).toContain(message);
});

test("--help shows examples, --version the version", () => {
  expect(settingsOf("--help").said).toContain("mon-agent --broker http://10.0.0.5:7400 --interval 1s");
  expect(settingsOf("--version").said).toBe("1.2.3\n");
});

test.each([
  ["web-1.example.org", "web-1.example.org"],
  ["Jürgen's Mac", "J-rgen-s-Mac"],
  ["_x", "x"],
  ["…", "host"],
  ["", "host"],
  ["a".repeat(200), "a".repeat(128)],
])("the host name %j makes a valid host id", (name, id) => {
  const made = hostIdFromName(name);
  expect(isHostId(made)).toBe(true);
  expect(made).toBe(id);
});

test("label values are escaped in the text format", () => {
  const labels = { path: 'C:\\ "x"\n' };
  expect(
    expositionOf([
      { name: "m", value: 1.5, labels },
      { name: "n", value: 0 },
    ]),
  ).toBe('m{path="C:\\\\ \\"x\\"\\n"} 1.5\nn 0\n');
});

test("a kind of log line passes once a minute, and at most 200 kinds are remembered", () => {
  const limiter = new LogLimiter();
  expect([0, 59_999, 60_000].map((ms) => limiter.allows("a", ms))).toEqual([true, false, true]);
  for (let kind = 0; kind < 200; kind += 1) limiter.allows(`k${kind}`, 60_001);
  expect(limiter.allows("a", 60_002)).toBe(true);
});
