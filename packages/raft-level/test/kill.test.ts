import { spawn } from "node:child_process";
import { once } from "node:events";
import { fileURLToPath } from "node:url";
import { expect, it } from "vitest";
import { contentsOf, entry } from "./contents.ts";
import { copyOf, storageAt, temporaryDirectory } from "./directory.ts";

const child = fileURLToPath(new URL("kill-child.ts", import.meta.url));
const kills = process.env.MON_TEST === "full" ? 30 : 3;

/** What a line of the child's ledger says. */
interface Acknowledged {
  readonly term: number;
  readonly lastIndex: number;
  readonly base: number;
}

/** Lets a process append until it has acknowledged so many batches, kills it, and gives the last that it acknowledged. */
async function appendAndKill(directory: string, batches: number): Promise<Acknowledged> {
  const writer = spawn(process.execPath, ["--conditions=@mon/source", child, directory], {
    stdio: ["ignore", "pipe", "inherit"],
  });
  let ledger = "";
  writer.stdout.setEncoding("utf8");
  for await (const text of writer.stdout) {
    ledger += text;
    if (ledger.split("\n").length > batches) writer.kill("SIGKILL");
  }
  if (writer.exitCode === null && writer.signalCode === null) await once(writer, "exit");
  expect(writer.signalCode).toBe("SIGKILL");
  // A line without a break may be half a line.
  return JSON.parse(ledger.slice(0, ledger.lastIndexOf("\n")).split("\n").at(-1)!) as Acknowledged;
}

it("has every acknowledged append, and at most the one after it, each time its process was killed", async () => {
  const directory = await temporaryDirectory();
  for (let i = 1; i <= kills; i++) {
    const acknowledged = await appendAndKill(directory, 60 + 37 * i);
    const storage = storageAt(await copyOf(directory));
    const { state, entries } = await contentsOf(storage);
    const term = state.hardState!.term;
    expect([0, 1]).toContain(term - acknowledged.term);
    expect(state.hardState!.votedFor).toBe(`n${term}`);
    // The next append added four, or overwrote three of them in a new term.
    const isNext = state.lastIndex !== acknowledged.lastIndex;
    if (isNext) expect(state.lastIndex - acknowledged.lastIndex).toBe(term === acknowledged.term ? 4 : 1);
    expect([acknowledged.base, acknowledged.base + 40]).toContain(state.base.index);
    expect(entries).toEqual(entries.map(({ index, term: of }) => entry(index, of)));
    expect((await storage.stable.load())?.peers).toEqual({ b: i });
  }
}, 120_000);
