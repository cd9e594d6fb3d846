import { mkdtemp, readdir, readFile, rm, stat, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { Code, ConnectError } from "@connectrpc/connect";
import { blockMs, StoreError } from "@mon/store";
import { afterEach, beforeEach, describe, expect, it } from "vitest";
import { backupOf, backupService, piecesOf, storeWithHours } from "./support/backup.ts";
import { dataStartMs, startBroker, type TestBroker } from "./support/broker.ts";
import { runToEnd, start } from "./support/run.ts";

let directory: string;
let file: string;
beforeEach(async () => {
  directory = await mkdtemp(join(tmpdir(), "monctl-backup-"));
  file = join(directory, "mon.backup");
});
afterEach(() => rm(directory, { recursive: true }));

describe("backup create", () => {
  it("writes a backup that only its owner may read, and says what it holds", async () => {
    await using store = await storeWithHours(3);
    await using broker = await startBroker({ admin: backupService(store) });
    const { code, stdout, stderr } = await runToEnd(["backup", "create", file, "--broker", broker.url]);
    expect({ code, stderr }).toEqual({ code: 0, stderr: "" });
    expect(stdout).toContain("reports     3\n");
    expect(stdout).toContain("time range  2026-11-23T17:00:00.000Z to 2026-11-23T19:00:00.000Z\n");
    expect(await readdir(directory)).toEqual(["mon.backup"]);
    expect((await stat(file)).mode & 0o777).toBe(0o600);
    expect(await readFile(file)).toEqual(await backupOf(store));
  });

  it("--json tells everything", async () => {
    await using store = await storeWithHours(1);
    await using broker = await startBroker({ admin: backupService(store) });
    const { stdout } = await runToEnd(["backup", "create", file, "--json", "--broker", broker.url]);
    expect(JSON.parse(stdout)).toEqual({
      file,
      createdAtMs: dataStartMs,
      monVersion: "0.1.0",
      storeKind: "memory",
      storeId: "",
      brokerId: "b1",
      bytes: (await stat(file)).size,
      partitions: 1,
      partitionsDamaged: 0,
      fragments: 1,
      hosts: 1,
      startMs: dataStartMs,
      endMs: dataStartMs,
      sha256: expect.stringMatching(/^[0-9a-f]{64}$/),
      damage: [],
    });
  });

  it("replaces no file unless it is forced to", async () => {
    await using store = await storeWithHours(1);
    await using broker = await startBroker({ admin: backupService(store) });
    await writeFile(file, "precious");
    const refused = await runToEnd(["backup", "create", file, "--broker", broker.url]);
    expect(refused.code).toBe(6);
    expect(refused.stderr).toContain("--force");
    expect(await readFile(file, "utf8")).toBe("precious");
    expect((await runToEnd(["backup", "create", file, "--force", "--broker", broker.url])).code).toBe(0);
    expect(await readFile(file)).toEqual(await backupOf(store));
  });

  it.each([
    ["ends before the backup does", 1, "the end of the bytes", () => {}],
    [
      "fails in the middle",
      5,
      "stopping",
      () => {
        throw new ConnectError("this broker is stopping", Code.Unavailable);
      },
    ],
  ] as const)("leaves no file behind when the stream %s", async (_, exitCode, message, end) => {
    await using store = await storeWithHours(3);
    await using broker = await startBroker({
      admin: {
        async *backup() {
          let pieces = 0;
          for await (const chunk of piecesOf(store)) {
            if (++pieces === 3) return end();
            yield { chunk };
          }
        },
      },
    });
    await writeFile(file, "precious");
    const { code, stderr } = await runToEnd(["backup", "create", file, "--force", "--broker", broker.url]);
    expect(code).toBe(exitCode);
    expect(stderr).toContain(message);
    expect(await readdir(directory)).toEqual(["mon.backup"]);
    expect(await readFile(file, "utf8")).toBe("precious");
  });

  it("exits 1 when the store could not be read in full, with a file of what could", async () => {
    await using store = await storeWithHours(2);
    const exportPartition = store.exportPartition.bind(store);
    store.exportPartition = async function* (partition) {
      yield* exportPartition(partition);
      throw new StoreError("STORE_CORRUPT", "a record does not match");
    };
    await using broker = await startBroker({ admin: backupService(store) });
    const { code, stderr } = await runToEnd(["backup", "create", file, "--broker", broker.url]);
    expect(code).toBe(1);
    expect(stderr).toContain("2 of 2 partitions could not be read in full");
    expect(stderr).toContain("a record does not match");
    const verified = await runToEnd(["backup", "verify", file, "--json"]);
    expect(verified.code).toBe(0);
    expect(JSON.parse(verified.stdout)).toMatchObject({ fragments: 2, partitionsDamaged: 2 });
  });

  it("exits 1 where it may not write, before it asks the broker for anything", async () => {
    await using store = await storeWithHours(1);
    await using broker = await startBroker({ admin: backupService(store) });
    const path = join(directory, "none", "mon.backup");
    const { code, stderr } = await runToEnd(["backup", "create", path, "--broker", broker.url]);
    expect(code).toBe(1);
    expect(stderr).toContain(`cannot write ${path}: ENOENT`);
    expect(broker.requests).toEqual([]);
  });

  it("exits 7 when the broker falls silent, and 130 at Ctrl-C, and leaves no file behind", async () => {
    await using broker = await startBroker({
      admin: {
        async *backup(_request, { signal }) {
          yield { chunk: new Uint8Array(0) };
          await new Promise((_, reject) => signal.addEventListener("abort", () => reject(signal.reason)));
        },
      },
    });
    const args = ["backup", "create", file, "--broker", broker.url];
    expect((await runToEnd([...args, "--timeout", "200ms"])).code).toBe(7);
    const running = start(args);
    while ((await readdir(directory)).length === 0) await new Promise((resolve) => setImmediate(resolve));
    running.interrupt();
    expect(await running.exitCode).toBe(130);
    expect(await readdir(directory)).toEqual([]);
  });

  it("shows how far it is, in place on a terminal, and takes that away at the end", async () => {
    await using store = await storeWithHours(1);
    await using broker = await startBroker({ admin: backupService(store) });
    const { stderr } = await runToEnd(["backup", "create", file, "--broker", broker.url], {
      errorTerminal: true,
      now: dataStartMs,
    });
    expect(stderr).toBe("\r\u001b[Kwritten 8 B: 2 reports in 1 partitions\r\u001b[K");
  });
});

describe("backup verify", () => {
  it("says what a backup holds, without a broker", async () => {
    await using store = await storeWithHours(2);
    await writeFile(file, await backupOf(store));
    const { code, stdout } = await runToEnd(["backup", "verify", file, "--broker", "127.0.0.1:1"]);
    expect(code).toBe(0);
    expect(stdout).toContain("hosts       1\n");
  });

  it("exits 1 for a file that has changed, and names the byte, in JSON by itself", async () => {
    await using store = await storeWithHours(2);
    const backup = await backupOf(store);
    backup[200]! ^= 0x10;
    await writeFile(file, backup);
    const { code, stdout, stderr } = await runToEnd(["backup", "verify", file, "--json"]);
    expect(code).toBe(1);
    const { error } = JSON.parse(stdout);
    expect(error).toMatchObject({ code: "MONCTL_FAILURE", file, offset: expect.any(Number) });
    expect(error.offset).toBeLessThanOrEqual(200);
    expect(stderr).toContain(`at byte ${error.offset} of the backup`);
  });

  it("exits 1 for a file cut short or of something else, 3 for none", async () => {
    await using store = await storeWithHours(2);
    await writeFile(file, (await backupOf(store)).subarray(0, -5));
    expect((await runToEnd(["backup", "verify", file])).code).toBe(1);
    await writeFile(file, "something else");
    const other = await runToEnd(["backup", "verify", file]);
    expect([other.code, other.stderr]).toEqual([1, expect.stringContaining("at byte 0 of the backup")]);
    expect((await runToEnd(["backup", "verify", directory])).code).toBe(1);
    expect((await runToEnd(["backup", "verify", join(directory, "none")])).code).toBe(3);
  });
});

describe("backup restore", () => {
  it("adds what the backup holds, but for what is past retention, as often as it is told to", async () => {
    await using source = await storeWithHours(3);
    await writeFile(file, await backupOf(source));
    await using target = await storeWithHours(1, "other");
    await using broker = await startBroker({ admin: backupService(target, dataStartMs + blockMs) });
    const args = ["backup", "restore", file, "--broker", broker.url];
    const dry = await runToEnd([...args, "--dry-run", "--json"]);
    expect(JSON.parse(dry.stdout)).toMatchObject({ dryRun: true, fragments: 2, fragmentsPastRetention: 1 });
    expect((await target.latest(["web-1"]))[0]!.samples.map(({ name }) => name)).toEqual(["other"]);
    for (let round = 0; round < 2; round++) {
      const { code, stdout } = await runToEnd(args);
      expect(code).toBe(0);
      expect(stdout).toContain("is there        2 reports in 2 partitions\n");
      expect(stdout).toContain("past retention  1 reports before 2026-11-23T18:00:00.000Z, left out\n");
    }
    const [latest] = await target.latest(["web-1"]);
    expect(latest!.samples).toMatchObject([{ name: "other" }, { name: "up", value: 2 }]);
  });

  it("sends nothing of a file that is damaged", async () => {
    await using store = await storeWithHours(3);
    await writeFile(file, (await backupOf(store)).subarray(0, -1));
    const broker: TestBroker = await startBroker({ admin: backupService(store) });
    const { code } = await runToEnd(["backup", "restore", file, "--broker", broker.url]);
    expect(code).toBe(1);
    expect(broker.requests).toEqual([]);
    await broker[Symbol.asyncDispose]();
  });

  it("exits 7 when the broker takes nothing, 5 when it stops", async () => {
    await using store = await storeWithHours(3);
    await writeFile(file, await backupOf(store));
    await using silent = await startBroker({
      admin: {
        restore: (_requests, { signal }) =>
          new Promise((_, reject) => signal.addEventListener("abort", () => reject(signal.reason))),
      },
    });
    const args = ["backup", "restore", file];
    expect((await runToEnd([...args, "--broker", silent.url, "--timeout", "200ms"])).code).toBe(7);
    await using stopping = await startBroker({
      admin: {
        restore: () => {
          throw new ConnectError("this broker is stopping, use another", Code.Unavailable);
        },
      },
    });
    const stopped = await runToEnd([...args, "--broker", stopping.url]);
    expect([stopped.code, stopped.stderr]).toEqual([5, expect.stringContaining("is stopping")]);
  });
});
