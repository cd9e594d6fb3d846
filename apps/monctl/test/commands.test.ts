import { execFileSync } from "node:child_process";
import { once } from "node:events";
import { type AddressInfo, createServer, type Socket } from "node:net";
import { Code, ConnectError } from "@connectrpc/connect";
import { BrokerState } from "@mon/proto";
import { afterAll, beforeAll, beforeEach, describe, expect, it } from "vitest";
import { dataStartMs, startBroker, type TestBroker } from "./support/broker.ts";
import type { Finished } from "./support/monctl.ts";
import { runToEnd, start } from "./support/run.ts";

let broker: TestBroker;
beforeAll(async () => {
  broker = await startBroker();
});
beforeEach(() => {
  broker.requests.length = 0;
});
afterAll(async () => {
  await broker[Symbol.asyncDispose]();
});

const nowMs = dataStartMs + 60_000;
const run = (...args: string[]): Promise<Finished> =>
  runToEnd([...args, "--broker", broker.url], { now: nowMs });
const lines = (...all: string[]): string => all.map((line) => `${line}\n`).join("");

describe("every --help", () => {
  const backups = ["backup", "backup create", "backup verify", "backup restore"];
  const members = ["cluster", "cluster members", "cluster leave", "cluster remove"];
  const agreement = ["ring", "ring show", "ring plan", "raft", "raft status", "raft transfer", "raft verify"];
  it.each([
    "",
    "status",
    "hosts",
    "metrics",
    "query",
    "push",
    "watch",
    "completion",
    ...backups,
    ...members,
    ...agreement,
  ])("has examples: %s", async (command) => {
    const { code, stdout, stderr } = await runToEnd([...command.split(" "), "--help"].filter(Boolean));
    expect({ code, stderr }).toEqual({ code: 0, stderr: "" });
    expect(stdout).toMatch(new RegExp(`Examples:\\n  \\$ .*monctl ${command}`));
    expect(stdout).toContain("--json");
    expect(stdout).not.toContain("\u001b");
  });
});

describe("status", () => {
  it("says in a sentence how the broker is, and shows its parts", async () => {
    const { code, stdout } = await run("status");
    expect(code).toBe(0);
    expect(stdout).toMatch(/^Broker b1 is serving: 3 hosts, 9 series, 1\.5 reports\/s, 4\.5 samples\/s\.\n/);
    expect(stdout).toContain("intake   ack latency           p50 1.25 ms, p99 4.5 ms, max 5 ms");
    expect(stdout).toContain("store    durability            fsync");
  });

  it("shows the problems of a degraded broker, and still exits 0", async () => {
    await using degraded = await startBroker({
      admin: {
        status: () => ({ brokerId: "b2", state: BrokerState.DEGRADED, problems: ["disk full\u001b[2J"] }),
      },
    });
    const { code, stdout } = await runToEnd(["status", "--broker", degraded.url]);
    expect(code).toBe(0);
    expect(stdout).toContain("Broker b2 is degraded; 1 problem.\n  problem: disk full\\u001b[2J\n");
  });

  it("is coloured on a terminal", async () => {
    const { stdout } = await runToEnd(["status", "--broker", broker.url], { terminal: true });
    expect(stdout.startsWith("\u001b[32mBroker b1")).toBe(true);
  });

  it("--watch repaints a terminal until Ctrl-C, and outlives a broker that is away", async () => {
    let answers = 0;
    await using flaky = await startBroker({
      admin: {
        status: () => {
          answers++;
          if (answers === 2) throw new Error("away");
          return { brokerId: `answer-${answers}`, state: BrokerState.SERVING };
        },
      },
    });
    const running = start(["status", "--watch=100ms", "--broker", flaky.url], { terminal: true });
    let text = "";
    for await (const chunk of running.stdout) {
      text += chunk;
      if (text.includes("answer-3")) running.interrupt();
    }
    expect(await running.exitCode).toBe(0);
    expect(text.startsWith("\u001b[2J\u001b[H")).toBe(true);
    expect(text).toContain("\u001b[J\u001b[H");
    expect(String(running.stderr.read())).toContain("monctl: ");
  });

  it("--watch writes a JSON line each time into a pipe", async () => {
    const running = start(["status", "--watch=100ms", "--broker", broker.url]);
    let text = "";
    for await (const chunk of running.stdout) {
      text += chunk;
      if (text.split("\n").length > 2) running.interrupt();
    }
    expect(await running.exitCode).toBe(0);
    const documents = text
      .trimEnd()
      .split("\n")
      .map((line) => JSON.parse(line));
    expect(documents[1]).toMatchObject({
      brokerId: "b1",
      state: "serving",
      intake: { rejections: { value_nan: 2 } },
    });
  });
});

describe("hosts", () => {
  it("lists all pages", async () => {
    expect(await run("hosts")).toEqual({
      code: 0,
      stdout: lines(
        "HOST   LAST SEEN  SERIES  AGENT",
        "db-1   1m ago          3  mon-agent 0.1.0",
        "web-1  59s ago         3  mon-agent 0.1.0",
        "web-2  58s ago         3  mon-agent 0.1.0",
      ),
      stderr: "",
    });
    expect(broker.requests.map(({ message }) => message.pageToken)).toEqual(["", "web-1"]);
  });

  it("sorts, filters by prefix, and lists ids only", async () => {
    expect((await run("hosts", "-q", "--sort", "seen")).stdout).toBe("web-2\nweb-1\ndb-1\n");
    expect((await run("hosts", "-q", "--reverse")).stdout).toBe("web-2\nweb-1\ndb-1\n");
    expect((await run("hosts", "web-", "--output", "jsonl")).stdout.trimEnd().split("\n")).toHaveLength(2);
  });

  it("says so when nothing starts with the prefix", async () => {
    expect(await run("hosts", "x")).toEqual({
      code: 0,
      stdout: "",
      stderr: 'monctl: no host starts with "x"\n',
    });
  });

  it("does not take a prefix for the interval of --watch", async () => {
    const running = start(["hosts", "--watch", "web-", "--broker", broker.url]);
    const [first] = await once(running.stdout, "data");
    running.interrupt();
    expect(await running.exitCode).toBe(0);
    expect(JSON.parse(String(first)).hosts).toHaveLength(2);
  });

  it("fails when a broker hands out the same page for ever", async () => {
    await using circling = await startBroker({ query: { listHosts: () => ({ nextPageToken: "again" }) } });
    expect(await runToEnd(["hosts", "--broker", circling.url])).toMatchObject({ code: 1, stdout: "" });
  });
});

describe("metrics", () => {
  it("lists name, kind, series and labels", async () => {
    expect((await run("metrics")).stdout).toBe(
      lines(
        "METRIC                         KIND     SERIES  LABELS",
        "system_cpu_utilization_ratio   gauge         6  cpu_mode",
        "system_network_io_bytes_total  counter       3  -",
      ),
    );
  });

  it("passes hosts and the selector on", async () => {
    expect(
      (await run("metrics", 'system_network_io_bytes_total{a!~"x"}', "--host", "web-1", "-q")).stdout,
    ).toBe("system_network_io_bytes_total\n");
    expect(broker.requests[0]!.message).toMatchObject({
      hosts: ["web-1"],
      matchers: [
        { label: "a", type: 4, value: "x" },
        { label: "__name__", type: 1, value: "system_network_io_bytes_total" },
      ],
    });
    expect((await run("metrics", "--host", "nobody")).code).toBe(3);
  });
});

describe("query", () => {
  const cpu = ["query", "system_cpu_utilization_ratio", "--start", "-1m"];

  it("draws a line a series, in the unit that the name ends with", async () => {
    expect((await run(...cpu, "--host", "web-1", "--host", "db-1")).stdout).toBe(
      lines(
        "HOST   SERIES                                           TREND   MIN    AVG  MAX  LAST",
        'db-1   system_cpu_utilization_ratio{cpu_mode="system"}  ▄▄▄▄▄▄   5%     5%   5%    5%',
        'db-1   system_cpu_utilization_ratio{cpu_mode="user"}    ▁▂▄▅▇█  10%  22.5%  35%   35%',
        'web-1  system_cpu_utilization_ratio{cpu_mode="system"}  ▄▄▄▄▄▄   5%     5%   5%    5%',
        'web-1  system_cpu_utilization_ratio{cpu_mode="user"}    ▁▂▄▅▇█  20%  32.5%  45%   45%',
      ),
    );
    expect(broker.requests[0]!.message).toMatchObject({
      hosts: ["web-1", "db-1"],
      name: "system_cpu_utilization_ratio",
      startMs: BigInt(dataStartMs),
      endMs: BigInt(nowMs),
      stepMs: 0n,
    });
  });

  it("gives exact values as points, JSON, JSON lines and CSV", async () => {
    const user = [
      "query",
      'system_cpu_utilization_ratio{cpu_mode="user"}',
      "--host",
      "web-1",
      "--start",
      "-1m",
    ];
    const exact = [0.2, 0.25, 0.30000000000000004, 0.35000000000000003, 0.4, 0.45];
    const points = exact.map((value, index) => [dataStartMs + index * 10_000, value]);
    const json = await run(...user, "--json");
    expect(json.stdout).toContain(`        [${points[0]!.join(", ")}],\n`);
    expect(JSON.parse(json.stdout)).toMatchObject({
      series: [{ host: "web-1", labels: { cpu_mode: "user" }, kind: "gauge", points }],
      partial: false,
      samplesRead: 6,
    });
    const rows = (await run(...user, "--output", "jsonl")).stdout
      .trimEnd()
      .split("\n")
      .map((line) => JSON.parse(line));
    expect(rows.slice(0, -1).map(({ timeMs, value }) => [timeMs, value])).toEqual(points);
    expect(rows.at(-1)).toEqual({ summary: { seriesCount: 1, samplesRead: 6, partial: false, missing: [] } });
    const csv = (await run(...user, "--output", "csv", "--no-headers")).stdout.trimEnd().split("\r\n");
    expect(csv[2]).toBe(
      `web-1,"system_cpu_utilization_ratio{cpu_mode=""user""}",2026-11-23T17:00:20.000Z,1795453220000,${exact[2]}`,
    );
    const table = (await run(...user, "--points")).stdout.split("\n");
    expect(table[3]).toBe(
      '2026-11-23T17:00:20.000Z  web-1  system_cpu_utilization_ratio{cpu_mode="user"}  0.30000000000000004',
    );
  });

  it("lists series as selectors that pick each", async () => {
    const ids = (await run(...cpu, "-q")).stdout.trimEnd().split("\n");
    expect(ids).toHaveLength(6);
    expect((await run("query", ids[3]!, "--start", "-1m", "-q")).stdout).toBe(`${ids[3]}\n`);
  });

  it("asks for steps and aggregations", async () => {
    await run(...cpu, "--agg", "rate", "--step", "15s");
    await run(...cpu, "--agg", "max");
    expect(broker.requests.map(({ message }) => [message.stepMs, message.aggregation])).toEqual([
      [15_000n, 8],
      [1_000n, 3],
    ]);
  });

  it("shows the last values", async () => {
    expect((await run("query", "system_network_io_bytes_total", "--latest")).stdout).toBe(
      lines(
        "HOST   SERIES                          VALUE  MEASURED",
        "db-1   system_network_io_bytes_total   5 MiB  10s ago",
        "web-1  system_network_io_bytes_total  10 MiB  10s ago",
        "web-2  system_network_io_bytes_total  15 MiB  10s ago",
      ),
    );
    const latest = await run("query", "system_network_io_bytes_total", "--latest", "--json");
    expect(JSON.parse(latest.stdout).values[2]).toMatchObject({ host: "web-2", value: 15_728_640 });
    expect((await run("query", "up", "--latest", "--step", "1s")).code).toBe(2);
  });

  it("says on stderr and in JSON that an answer is partial", async () => {
    const partial = { partial: true, missing: ["store: range damaged"] };
    await using broken = await startBroker({
      query: {
        queryRange: async function* () {
          yield { summary: { series: 1, ...partial } };
        },
        queryLatest: () => partial,
      },
    });
    for (const latest of [[], ["--latest"]]) {
      const { code, stdout, stderr } = await runToEnd([
        "query",
        "up",
        "--json",
        ...latest,
        "--broker",
        broken.url,
      ]);
      expect(code).toBe(0);
      expect(JSON.parse(stdout)).toMatchObject(partial);
      expect(stderr).toContain("the answer is partial: store: range damaged");
    }
  });

  it("fails when the answer was cut", async () => {
    await using cut = await startBroker({
      query: {
        queryRange: async function* () {
          yield { series: [] };
        },
      },
    });
    const { code, stderr } = await runToEnd(["query", "up", "--broker", cut.url]);
    expect(code).toBe(1);
    expect(stderr).toContain("an answer that was cut");
  });

  it("fails when the broker falls silent within an answer", async () => {
    await using silent = await startBroker({
      query: {
        queryRange: async function* (_request, { signal }) {
          yield { series: [] };
          await new Promise((resolve) => signal.addEventListener("abort", resolve));
        },
      },
    });
    expect((await runToEnd(["query", "up", "--timeout", "100ms", "--broker", silent.url])).code).toBe(7);
  });

  it("refuses what the broker would, with the broker's words", async () => {
    const { code, stderr } = await run("query", 'up{a=~"("}');
    expect(code).toBe(2);
    expect(stderr).toContain("matchers[0].value");
  });

  it("says so when no series matches", async () => {
    expect(await run("query", "nothing")).toEqual({
      code: 0,
      stdout: "",
      stderr: "monctl: no series matches\n",
    });
  });
});

describe("push", () => {
  it("sends a report and shows how safe it is", async () => {
    const { stdout } = await run(
      "push",
      "a=1",
      'b{x="y"}=2',
      "--host",
      "h",
      "--label",
      "q=1",
      "--kind",
      "counter",
    );
    expect(stdout).toBe("stored 2 samples of 1 report: fsync, 1 copy\n");
    expect(broker.requests[0]!.message.reports).toMatchObject([{ hostId: "h", timestampMs: BigInt(nowMs) }]);
  });

  it("sends long input in batches, and places rejections by line", async () => {
    const line = (value: string): string =>
      `{"hostId":"a","timestampMs":"5","samples":[{"name":"up","value":${value}}]}`;
    const stdin = [...new Array<string>(600).fill(line("1")), line('"NaN"')].join("\n");
    const { code, stdout } = await runToEnd(["push", "--file", "-", "--json", "--broker", broker.url], {
      stdin,
    });
    expect(code).toBe(1);
    expect(broker.requests).toHaveLength(2);
    expect(JSON.parse(stdout)).toMatchObject({
      samplesStored: 600,
      rejected: 1,
      rejections: [{ place: "line 601" }],
    });
  });

  it("says what was stored before the broker went away", async () => {
    let calls = 0;
    await using mortal = await startBroker({
      monitor: {
        push: ({ reports }) => {
          if (calls++ > 0) throw new ConnectError("draining", Code.Unavailable);
          return { outcome: { reportsStored: reports.length, samplesStored: reports.length, copies: 1 } };
        },
      },
    });
    const line = `{"hostId":"a","timestampMs":"5","samples":[{"name":"up","value":1}]}\n`;
    const { code, stderr } = await runToEnd(["push", "--file", "-", "--broker", mortal.url], {
      stdin: line.repeat(501),
    });
    expect(code).toBe(5);
    expect(stderr).toContain("500 samples were stored before this failed");
  });

  it.each([
    ["up=1"],
    ["--host", "h"],
    ["up", "--host", "h"],
    ["up=1", "--host", "h", "--time", "noon"],
    ["up=1", "--file", "-"],
    ["--host", "h", "--file", "-"],
  ])("is a usage error and sends nothing: %s %s %s", async (...args) => {
    expect((await run("push", ...args)).code).toBe(2);
    expect(broker.requests).toEqual([]);
  });
});

describe("watch", () => {
  it("stops after as many samples as asked", async () => {
    const { code, stdout } = await run("watch", "--host", "web-1", "--count", "2", "--json");
    expect(code).toBe(0);
    expect(
      stdout
        .trimEnd()
        .split("\n")
        .map((line) => JSON.parse(line).host),
    ).toEqual(["web-1", "web-1"]);
    expect((await run("watch", "--count", "0")).code).toBe(2);
  });

  it("exits 5 when the broker dies", async () => {
    await using mortal = await startBroker();
    const running = start(["watch", "--broker", mortal.url]);
    running.stdout.once("data", () => mortal.disconnect());
    expect(await running.exitCode).toBe(5);
    expect(String(running.stderr.read())).toContain("lost");
  });

  it("fails when the broker ends the stream", async () => {
    await using draining = await startBroker({ query: { watch: async function* () {} } });
    expect((await runToEnd(["watch", "--broker", draining.url])).code).toBe(5);
  });
});

describe("an error", () => {
  const failing: Record<string, string[]> = {
    status: [],
    hosts: [],
    metrics: [],
    query: ["up"],
    push: ["up=1", "--host", "web-1"],
    watch: [],
  };

  it.each(Object.entries(failing))(
    "of %s --json is JSON on stdout and words on stderr",
    async (command, args) => {
      for (const output of [["--json"], ["--output", "jsonl"]]) {
        const result = await runToEnd([command, ...args, ...output, "--broker", "127.0.0.1:1"]);
        const { error } = JSON.parse(result.stdout);
        expect(error).toEqual({
          code: "MONCTL_UNREACHABLE",
          message: expect.any(String),
          hint: expect.any(String),
        });
        expect(result.code).toBe(5);
        expect(result.stderr).toContain(`monctl: ${error.message}`);
      }
    },
  );

  it("of completion is one too", async () => {
    const { code, stdout } = await runToEnd(["completion", "tcsh", "--json"]);
    expect(code).toBe(2);
    expect(JSON.parse(stdout).error.code).toBe("MONCTL_USAGE");
  });

  it.each([
    [Code.Unauthenticated, 4],
    [Code.PermissionDenied, 4],
    [Code.Unavailable, 5],
    [Code.Aborted, 6],
    [Code.FailedPrecondition, 8],
    [Code.Internal, 1],
  ])("of a broker with code %i exits with %i", async (code, exitCode) => {
    await using broken = await startBroker({
      admin: {
        status: () => {
          throw new ConnectError("expected better, got this", code);
        },
      },
    });
    const result = await runToEnd(["status", "--broker", broken.url]);
    expect(result).toMatchObject({ code: exitCode, stdout: "" });
    expect(result.stderr).toContain("expected better, got this");
  });

  it("is none to talk about when the program is interrupted", async () => {
    const called = Promise.withResolvers<void>();
    await using silent = await startBroker({
      admin: {
        status: async (_request, { signal }) => {
          called.resolve();
          await new Promise((resolve) => signal.addEventListener("abort", resolve));
          return {};
        },
      },
    });
    const running = start(["status", "--json", "--broker", silent.url]);
    await called.promise;
    running.interrupt();
    expect(await running.exitCode).toBe(130);
    expect([running.stdout.read(), running.stderr.read()]).toEqual([null, null]);
  });

  it("names an address where something else than a broker listens, or nothing that answers", async () => {
    for (const reply of ["HTTP/1.1 400 Bad Request\r\n\r\n", ""]) {
      const sockets: Socket[] = [];
      const other = createServer((socket) => {
        sockets.push(socket.on("error", () => {}));
        if (reply !== "") socket.end(reply);
      });
      await new Promise<void>((resolve) => other.listen(0, "127.0.0.1", resolve));
      const { port } = other.address() as AddressInfo;
      const { code, stderr } = await runToEnd([
        "status",
        "--broker",
        `127.0.0.1:${port}`,
        "--timeout",
        "300ms",
      ]);
      expect(code).toBe(5);
      expect(stderr).toContain(`http://127.0.0.1:${port}`);
      expect(stderr).toContain("HTTP/2");
      for (const socket of sockets) socket.destroy();
      other.close();
    }
  });
});

describe("the rest", () => {
  it("refuses a format that a command does not have", async () => {
    expect((await run("hosts", "--output", "csv")).stderr).toContain("expected --output table, json, jsonl");
  });

  it("shows requests on stderr with --trace", async () => {
    const { stdout, stderr } = await run("query", "up", "--trace", "--json");
    expect(JSON.parse(stdout).series).toEqual([]);
    expect(stderr).toContain("> mon.v1.QueryService/QueryRange");
    expect(stderr).toMatch(/= mon\.v1\.QueryService\/QueryRange ok, \d+ms/);
  });

  it("without a command is a usage error", async () => {
    expect(await runToEnd([])).toMatchObject({ code: 2, stdout: "" });
  });

  it("completes commands, options and values in bash", async () => {
    const { stdout: script } = await run("completion", "bash");
    const complete = (...words: string[]): string[] => {
      const quoted = words.map((word) => `'${word}'`).join(" ");
      const call = `COMP_WORDS=(${quoted}) COMP_CWORD=${words.length - 1}; _monctl; echo "\${COMPREPLY[@]}"`;
      return execFileSync("bash", ["-c", `${script}\n${call}`], { encoding: "utf8" })
        .trim()
        .split(" ");
    };
    expect(complete("monctl", "h")).toEqual(["hosts"]);
    expect(complete("monctl", "hosts", "--so")).toEqual(["--sort"]);
    expect(complete("monctl", "hosts", "--sort", "se")).toEqual(["seen", "series"]);
    expect(complete("monctl", "query", "x", "--tr")).toEqual(["--trace"]);
  });
});
