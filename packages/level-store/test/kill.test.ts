import { spawn } from "node:child_process";
import { once } from "node:events";
import { fileURLToPath } from "node:url";
import { MemoryStore } from "@mon/store";
import { expect, it } from "vitest";
import { readAll, report } from "./contents.ts";
import { openStore, temporaryDirectory } from "./directory.ts";

const child = fileURLToPath(new URL("kill-child.ts", import.meta.url));
const kills = process.env.MON_TEST === "full" ? 30 : 3;

/** Lets a process write until it has acknowledged so many reports, kills it, and gives what it acknowledged. */
async function writeAndKill(directory: string, first: number, acknowledged: number): Promise<number[]> {
  const writer = spawn(process.execPath, ["--conditions=@mon/source", child, directory, String(first)], {
    stdio: ["ignore", "pipe", "inherit"],
  });
  let ledger = "";
  writer.stdout.setEncoding("utf8");
  for await (const text of writer.stdout) {
    ledger += text;
    if (ledger.split("\n").length > acknowledged) writer.kill("SIGKILL");
  }
  if (writer.exitCode === null && writer.signalCode === null) await once(writer, "exit");
  expect(writer.signalCode).toBe("SIGKILL");
  // A number whose line break did not come may be half a number.
  return ledger.slice(0, ledger.lastIndexOf("\n")).split("\n").map(Number);
}

it("has every acknowledged report, and knows the last values, after its process was killed again and again", async () => {
  const directory = await temporaryDirectory();
  const acked: number[] = [];
  for (let i = 0; i < kills; i++) {
    acked.push(...(await writeAndKill(directory, i * 1_000_000, 500 + 700 * (i % 4))));
  }
  const store = await openStore(directory);
  const found = new Set<number>();
  const model = new MemoryStore();
  await model.open();
  for (const hostId of ["h0", "h1", "h2"]) {
    const { points, missing } = await readAll(store, hostId);
    expect(missing).toEqual([]);
    for (const point of points) if (point.startsWith("n ")) found.add(Number(point.split(" ")[2]));
  }
  expect(acked.filter((n) => !found.has(n))).toEqual([]);
  for (const n of found) {
    await model.write([report(`h${n % 3}`, n * 60_000, { n, [`m${n % 50}`]: n })]);
  }
  expect(await store.latest(["h0", "h1", "h2"])).toEqual(await model.latest(["h0", "h1", "h2"]));
  expect((await store.stats()).damage).toEqual([]);
}, 600_000);
