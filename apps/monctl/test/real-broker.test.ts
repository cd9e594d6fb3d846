import { writeFile } from "node:fs/promises";
import { join } from "node:path";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { TestAuthority } from "../../../tools/build/certificate.ts";
import { type BrokerProcess, startBrokerProcess } from "./support/broker-process.ts";
import { monctl } from "./support/monctl.ts";

/** Several starts of Node, on a machine that is busy with other tests. */
const timeout = 60_000;

const authority = new TestAuthority();
let source: BrokerProcess;
/** Over TLS. */
let target: BrokerProcess;
let ca: string;
let file: string;

beforeAll(async () => {
  [source, target] = await Promise.all([startBrokerProcess(), startBrokerProcess(authority)]);
  ca = join(target.directory, "ca.pem");
  file = join(source.directory, "mon.backup");
  await writeFile(ca, authority.certificate);
  const nowMs = Date.now();
  const lines = Array.from({ length: 200 }, (_, i) =>
    JSON.stringify({
      hostId: `web-${i % 4}`,
      timestampMs: String(nowMs - i * 60_000),
      samples: [{ name: "queue_length", value: i }],
    }),
  );
  const pushed = await monctl(["push", "--file", "-", "--broker", source.address], {
    stdin: lines.join("\n"),
  });
  expect(pushed.code).toBe(0);
}, timeout);
afterAll(async () => {
  await Promise.all([source[Symbol.asyncDispose](), target[Symbol.asyncDispose]()]);
});

async function valuesOf(...broker: string[]): Promise<unknown> {
  const range = ["--start", "-5h", "--end", "now"];
  const { stdout } = await monctl(["query", "queue_length", ...range, "-o", "csv", ...broker]);
  return stdout.split("\r\n").sort();
}

describe("with real brokers", { timeout }, () => {
  it("a backup of one is verified, and restored into another over TLS, twice", async () => {
    const created = await monctl(["backup", "create", file, "--broker", source.address, "--json"]);
    expect(created).toMatchObject({ code: 0, stderr: "" });
    expect(JSON.parse(created.stdout)).toMatchObject({ fragments: 200, hosts: 4, partitionsDamaged: 0 });
    const verified = await monctl(["backup", "verify", file, "--json"]);
    expect([verified.code, JSON.parse(verified.stdout)]).toEqual([0, JSON.parse(created.stdout)]);
    const into = ["--broker", `https://${target.address}`, "--ca", ca];
    for (const flags of [["--dry-run"], [], []]) {
      const { code, stdout } = await monctl(["backup", "restore", file, ...flags, "--json", ...into]);
      expect([code, JSON.parse(stdout)]).toEqual([
        0,
        expect.objectContaining({ fragments: 200, fragmentsPastRetention: 0, durability: "fsync" }),
      ]);
    }
    expect(await valuesOf(...into)).toEqual(await valuesOf("--broker", source.address));
  });

  it("takes an address without a scheme for https:// when there is an authority", async () => {
    const { code, stdout } = await monctl(["status"], {
      env: { MON_BROKER: target.address, MON_CA: ca },
    });
    expect(code).toBe(0);
    expect(stdout).toMatch(/ is serving/);
  });

  it("exits 5 where the certificate is of an authority that it is not told of, and says what to do", async () => {
    const { code, stderr } = await monctl(["status", "--broker", `https://${target.address}`]);
    expect([code, stderr]).toEqual([5, expect.stringMatching(/certificate.*\n.*--ca/)]);
    const stranger = join(target.directory, "stranger.pem");
    await writeFile(stranger, new TestAuthority("somebody else").certificate);
    expect((await monctl(["status", "--broker", target.address, "--ca", stranger])).code).toBe(5);
  });

  it("exits 5 where it speaks plain text to a door with TLS, or TLS to one without", async () => {
    expect((await monctl(["status", "--broker", `http://${target.address}`])).code).toBe(5);
    expect((await monctl(["status", "--broker", source.address, "--ca", ca])).code).toBe(5);
  });

  it("exits 2 for an authority that cannot be read, or one beside an http:// address", async () => {
    const missing = await monctl([
      "status",
      "--broker",
      target.address,
      "--ca",
      join(source.directory, "none"),
    ]);
    expect([missing.code, missing.stderr]).toEqual([
      2,
      expect.stringContaining("expected --ca to be a file"),
    ]);
    const plain = await monctl(["status", "--broker", `http://${target.address}`, "--ca", ca]);
    expect([plain.code, plain.stderr]).toEqual([2, expect.stringContaining("https://")]);
  });
});
