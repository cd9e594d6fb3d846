import { execFile } from "node:child_process";
import { mkdir, mkdtemp, rm } from "node:fs/promises";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { promisify } from "node:util";
import { expect, it } from "vitest";
import { temporaryDirectory } from "./directory.ts";

const run = promisify(execFile);
const root = fileURLToPath(new URL("..", import.meta.url));

/** Stores a report, lets it become a chunk in one thread, and prints what is read then by way of another. */
const program = `
const { BlockDecoder, LevelStore } = await import(process.env.STORE_MODULE);
const { fragmentFromSamples } = await import("@mon/store");
const decoder = new BlockDecoder({ inlineBytesMax: 0 });
await using store = new LevelStore({ directory: process.env.STORE_DIRECTORY, now: Date.now, decoder });
await store.open();
const sample = { name: "a", labels: [], value: 42, kind: 1, flags: 0 };
await store.write([fragmentFromSamples("h", 1_000, [sample])]);
await store.pack(1e12);
for await (const { columns } of store.read({ hostId: "h", startMs: 0, endMs: 1e12 })) {
  console.log(columns[0].values[0], (await store.stats()).headBytes);
}
`;

async function printedBy(module: string): Promise<string> {
  const flags = ["--conditions=@mon/source", "--no-warnings", "--input-type=module", "--eval", program];
  const env = {
    ...process.env,
    STORE_MODULE: module,
    STORE_DIRECTORY: join(await temporaryDirectory(), "db"),
  };
  const { stdout } = await run(process.execPath, flags, { cwd: root, env });
  return stdout;
}

it("makes chunks and decodes them in its worker threads when it runs from its sources, outside of any test runner", async () => {
  expect(await printedBy("./src/index.ts")).toBe("42 0\n");
});

it("makes chunks and decodes them in its worker threads when it is built", async () => {
  await mkdir(join(root, ".reports"), { recursive: true });
  // Within the package, so that what it imports resolves.
  const built = await mkdtemp(join(root, ".reports", "built-"));
  try {
    const tsup = join(root, "../../node_modules/.bin/tsup");
    await run(tsup, ["--no-dts", "--silent", "--out-dir", built], { cwd: root });
    expect(await printedBy(join(built, "index.js"))).toBe("42 0\n");
  } finally {
    await rm(built, { recursive: true });
  }
});
