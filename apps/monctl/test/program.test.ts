import { mkdtemp, rm, writeFile } from "node:fs/promises";
import type { AddressInfo } from "node:net";
import { createServer } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { backupOf, storeWithHours } from "./support/backup.ts";
import { startBroker, type TestBroker } from "./support/broker.ts";
import { type Finished, monctl, spawnMonctl } from "./support/monctl.ts";

const range = ["--start", "2026-11-23T17:00:00Z", "--end", "2026-11-23T17:00:50Z"];

const directory = await mkdtemp(join(tmpdir(), "monctl-program-"));
const backupFile = join(directory, "mon.backup");

/** Every command, with arguments that make it succeed and end. */
const commands: Record<string, string[]> = {
  status: [],
  hosts: [],
  metrics: [],
  query: ["system_cpu_utilization_ratio", ...range],
  push: ["up=1", "--host", "web-1"],
  watch: ["--count", "4"],
  cluster: ["members"],
  ring: ["plan", "--add", "b3"],
  raft: ["verify"],
  backup: ["verify", backupFile],
  completion: ["bash"],
};

let broker: TestBroker;
beforeAll(async () => {
  broker = await startBroker();
  await using store = await storeWithHours(1);
  await writeFile(backupFile, await backupOf(store));
  // Fills the compile cache once, so that the programs that run side by side need not.
  await monctl(["--version"]);
}, 30_000);
afterAll(async () => {
  await broker[Symbol.asyncDispose]();
  await rm(directory, { recursive: true });
});

const connected = (args: string[]): Promise<Finished> => monctl([...args, "--broker", broker.url]);

/** A broker that never answers Status. */
const startSilent = (): Promise<TestBroker> =>
  startBroker({
    admin: {
      status: async (_request, { signal }) => {
        // Ends as the deadline does, which comes to the server as well: it must not look like an answer.
        await new Promise((_, reject) => signal.addEventListener("abort", () => reject(signal.reason)));
        return {};
      },
    },
  });

/** A start of Node takes long on a machine that is busy with other tests. */
const timeout = 30_000;

describe.concurrent("the program", { timeout }, () => {
  for (const [command, args] of Object.entries(commands)) {
    it(`answers ${command} --json with JSON and nothing else, and exits 0`, async () => {
      const { code, stdout } = await connected([command, ...args, "--json"]);
      const documents = command === "watch" ? stdout.trimEnd().split("\n") : [stdout];
      for (const document of documents) expect(JSON.parse(document)).toBeTypeOf("object");
      expect(documents).toHaveLength(command === "watch" ? 4 : 1);
      expect(code).toBe(0);
    });
  }

  it("exits 5 where nothing listens, within the timeout", async () => {
    const { code, stdout } = await monctl(["status", "--json", "--broker", "127.0.0.1:1"]);
    expect(code).toBe(5);
    expect(JSON.parse(stdout).error.code).toBe("MONCTL_UNREACHABLE");
  });

  it("exits 2 for an unknown option or command, with a suggestion, in JSON when that is asked for", async () => {
    const option = await monctl(["hosts", "--jsn"]);
    expect(option).toMatchObject({ code: 2, stdout: "" });
    expect(option.stderr).toContain("did you mean --json?");
    const command = await monctl(["qurey", "--json"]);
    expect(command.code).toBe(2);
    expect(JSON.parse(command.stdout).error).toMatchObject({
      code: "MONCTL_USAGE",
      hint: "did you mean query?",
    });
  });

  it("exits 3 for an unknown host, and names similar ones", async () => {
    const { code, stderr } = await connected(["query", "up", "--host", "web"]);
    expect(code).toBe(3);
    expect(stderr).toContain("did you mean web-1, web-2?");
  });

  it("exits 7 when a broker does not answer within the timeout", async () => {
    await using silent = await startSilent();
    const { code, stdout } = await monctl(["status", "--json", "--broker", silent.url, "--timeout", "300ms"]);
    expect(code).toBe(7);
    expect(JSON.parse(stdout).error.code).toBe("MONCTL_TIMEOUT");
  });

  it("exits with an error, and soon, where something else than a broker listens", async () => {
    const other = createServer((socket) => socket.end("HTTP/1.1 400 Bad Request\r\n\r\n"));
    await new Promise<void>((resolve) => other.listen(0, "127.0.0.1", resolve));
    const { port } = other.address() as AddressInfo;
    const { code, stdout } = await monctl([
      "status",
      "--json",
      "--broker",
      `127.0.0.1:${port}`,
      "--timeout",
      "5s",
    ]);
    other.close();
    expect(code).toBe(5);
    expect(JSON.parse(stdout).error.code).toBe("MONCTL_UNREACHABLE");
  });

  it("writes no ANSI sequence into a pipe", async () => {
    const { stdout, stderr } = await monctl(["status", "--broker", broker.url], {
      env: { FORCE_COLOR: "1" },
    });
    expect(stdout).toContain("Broker b1 is serving");
    expect(stdout + stderr).not.toContain("\u001b");
  });

  it("exits 1 when a sample is rejected, and shows its field and the reason", async () => {
    const { code, stdout } = await connected(["push", "up=1", "temperature_celsius=NaN", "--host", "web-1"]);
    expect(code).toBe(1);
    expect(stdout).toContain("reports[0].samples[1].value  expected a number, got NaN");
  });

  it("reads reports from standard input", async () => {
    const stdin = `{"hostId":"a","timestampMs":"5","samples":[{"name":"up","value":1}]}\nbad\n`;
    const result = await monctl(["push", "--file", "-", "--json", "--broker", broker.url], { stdin });
    expect(result.code).toBe(1);
    expect(JSON.parse(result.stdout)).toMatchObject({
      samplesStored: 1,
      rejections: [{ place: "line 2", reason: "unreadable" }],
    });
  });

  it("watches until Ctrl-C, which is no failure, and notes missed reports on stderr", async () => {
    const child = spawnMonctl(["watch", "system_network_io_bytes_total", "--broker", broker.url]);
    const exited = new Promise<number | null>((resolve) => child.once("exit", resolve));
    let missed = "";
    child.stderr.setEncoding("utf8").on("data", (text: string) => (missed += text));
    let lines = "";
    for await (const text of child.stdout.setEncoding("utf8")) {
      lines += text;
      if (lines.split("\n").length > 8) child.kill("SIGINT");
    }
    expect(await exited).toBe(0);
    expect(lines).toContain("2026-11-23T17:00:10.000Z  db-1  system_network_io_bytes_total  1 MiB\n");
    expect(missed).toBe("monctl: missed 7 reports, because they came faster than they were read\n");
  });

  it("ends quietly when the reader of its pipe has had enough", async () => {
    const child = spawnMonctl(["watch", "--broker", broker.url]);
    const exited = new Promise<number | null>((resolve) => child.once("exit", resolve));
    child.stdout.once("data", () => child.stdout.destroy());
    let errors = "";
    child.stderr.setEncoding("utf8").on("data", (text: string) => (errors += text));
    // The broker falls silent after the data set, so the end of the pipe may go unnoticed: then Ctrl-C ends it.
    child.stdout.once("close", () => child.kill("SIGINT"));
    expect(await exited).toBe(0);
    expect(errors).not.toContain("EPIPE");
  });
});
