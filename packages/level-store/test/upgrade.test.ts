import { mkdir, readFile, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { Level } from "level";
import { describe, expect, it } from "vitest";
import { contentsOf, readAll } from "./contents.ts";
import { copyOf, openStore, t0, temporaryDirectory } from "./directory.ts";

/** Directories as the first format left them, and what they held; made by the code of that time. */
interface Fixture {
  readonly storeId: string;
  readonly expected: unknown;
  /** Files in base64, by name. */
  readonly closed: Record<string, string>;
  readonly killed: Record<string, string>;
}

const fixture: Fixture = JSON.parse(
  await readFile(new URL("fixtures/format-1.json", import.meta.url), "utf8"),
);
const hostIds = ["host-0", "host-1", "a.b", "silent"];

async function unpacked(files: Record<string, string>): Promise<string> {
  const directory = join(await temporaryDirectory(), "db");
  await mkdir(directory);
  for (const [name, content] of Object.entries(files)) {
    await writeFile(join(directory, name), Buffer.from(content, "base64"));
  }
  return directory;
}

async function keysOf(directory: string, space: string): Promise<number> {
  const level = new Level<Buffer, Buffer>(directory, { keyEncoding: "buffer", valueEncoding: "buffer" });
  const keys = await level
    .keys({ gte: Buffer.from(space), lt: Buffer.from([space.charCodeAt(0) + 1]) })
    .all();
  await level.close();
  return keys.length;
}

describe.each(["closed", "killed"] as const)("a directory of format 1, %s,", (state) => {
  it("opens with everything that it held, and is the same store", async () => {
    const directory = await unpacked(fixture[state]);
    const store = await openStore(directory);
    expect(await contentsOf(store, hostIds)).toEqual(fixture.expected);
    expect(store.storeId).toBe(fixture.storeId);
    expect((await store.stats()).damage).toEqual([]);
    await store.close();
    expect(await keysOf(directory, "f")).toBe(0);
    const again = await openStore(directory);
    expect(await contentsOf(again, hostIds)).toEqual(fixture.expected);
    await again.pack(t0 + 100 * 3_600_000);
    expect(await contentsOf(again, hostIds)).toEqual(fixture.expected);
  });

  it("opens when its conversion was cut short", async () => {
    const directory = await unpacked(fixture[state]);
    const before = await copyOf(directory);
    await (await openStore(directory)).close();
    // Chunks of the converted directory, and fragments of the one before.
    const converted = new Level<Buffer, Buffer>(directory, {
      keyEncoding: "buffer",
      valueEncoding: "buffer",
    });
    const original = new Level<Buffer, Buffer>(before, { keyEncoding: "buffer", valueEncoding: "buffer" });
    const fragments = await original.iterator({ gte: Buffer.from("f"), lt: Buffer.from("g") }).all();
    for (const [key, value] of fragments.slice(40)) await converted.put(key, value);
    await converted.close();
    await original.close();
    const store = await openStore(directory);
    expect(await contentsOf(store, hostIds)).toEqual(fixture.expected);
  });

  it("names a fragment that was damaged, now and after the next open, and serves the rest", async () => {
    const directory = await unpacked(fixture[state]);
    const level = new Level<Buffer, Buffer>(directory, { keyEncoding: "buffer", valueEncoding: "buffer" });
    const [first] = await level.iterator({ gte: Buffer.from("f"), lt: Buffer.from("g"), limit: 1 }).all();
    first![1][5]! ^= 1;
    await level.put(...first!);
    await level.close();
    for (let open = 0; open < 2; open++) {
      const store = await openStore(directory);
      const damage = [expect.stringMatching(/^a report of host-1 at -5 does not pass its checksum$/)];
      expect((await store.stats()).damage).toEqual(damage);
      const range = { startMs: -10_000, endMs: 0 };
      expect(await readAll(store, "host-1", range)).toEqual({ points: [], missing: damage });
      expect((await readAll(store, "host-1")).points).not.toEqual([]);
      await store.close();
    }
  });
});
