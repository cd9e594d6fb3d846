import { examine, LevelDbError } from "@mon/leveldb-check";
import { describe, expect, it } from "vitest";
import { type Contents, filesOf, flipped, mark, writtenDatabase } from "./database.ts";

const options = { mark, mayBeNew: false };

/** Whether an examination refuses files; what else it throws is thrown. */
async function isRefused(contents: Contents): Promise<boolean> {
  try {
    await examine(filesOf(contents), options);
    return false;
  } catch (error) {
    expect(error).toBeInstanceOf(LevelDbError);
    expect(error).toMatchObject({
      code: "LEVELDB_DAMAGED",
      message: expect.stringMatching(/^db\b.*: expected /),
    });
    return true;
  }
}

describe.each([true, false])("an examination of a LevelDB, compression %s", (compression) => {
  it("has nothing to say of what LevelDB wrote", async () => {
    const contents = await writtenDatabase({ compression });
    const { bytes, tornBytes } = await examine(filesOf(contents), options);
    expect(tornBytes).toBe(0);
    const files = [...contents].filter(([name]) => name !== "CURRENT");
    expect(bytes).toBe(files.reduce((sum, [, file]) => sum + file.length, 0));
  });

  it("refuses another bit anywhere in a table, but for the 48 bytes at its end, of which some say nothing", async () => {
    const contents = await writtenDatabase({ compression });
    const tables = [...contents.keys()].filter((name) => name.endsWith(".ldb"));
    expect(tables.length).toBeGreaterThan(0);
    for (const name of tables) {
      const { length } = contents.get(name)!;
      const passed: number[] = [];
      for (let at = 0; at < length; at++)
        if (!(await isRefused(flipped(contents, name, at)))) passed.push(at);
      expect(passed.filter((at) => at < length - 48)).toEqual([]);
      // Two handles and eight bytes of magic; between them there are zeros.
      for (const at of passed) expect(contents.get(name)![at]).toBe(0);
    }
  });

  it("refuses another bit anywhere in MANIFEST or CURRENT", async () => {
    const contents = await writtenDatabase({ compression });
    for (const name of contents.keys()) {
      if (!/^(MANIFEST|CURRENT)/.test(name)) continue;
      for (let at = 0; at < contents.get(name)!.length; at++) {
        expect({ name, at, refused: await isRefused(flipped(contents, name, at)) }).toMatchObject({
          refused: true,
        });
      }
    }
  });

  it("refuses another bit anywhere in the log, whatever the batch", async () => {
    const contents = await writtenDatabase({ compression });
    const name = [...contents.keys()].filter(
      (file) => file.endsWith(".log") && contents.get(file)!.length > 0,
    )[0]!;
    for (let at = 0; at < contents.get(name)!.length; at++) {
      expect({ at, refused: await isRefused(flipped(contents, name, at)) }).toMatchObject({ refused: true });
    }
  });

  it("refuses files of which one is missing or cut short, and takes the end of a log for an interrupted write", async () => {
    const contents = await writtenDatabase({ compression });
    for (const [name, bytes] of contents) {
      const without = new Map(contents);
      without.delete(name);
      if (bytes.length > 0)
        expect({ name, refused: await isRefused(without) }).toEqual({ name, refused: true });
      if (name.endsWith(".ldb")) {
        expect(await isRefused(new Map(contents).set(name, bytes.subarray(0, -1)))).toBe(true);
      }
      if (name.endsWith(".log") && bytes.length > 0) {
        const cut = new Map(contents).set(name, bytes.subarray(0, bytes.length - 10));
        expect((await examine(filesOf(cut), options)).tornBytes).toBeGreaterThan(0);
      }
    }
  });

  it("lets others run after each quarter of a mebibyte", async () => {
    const contents = await writtenDatabase({ compression: false, entries: 4_000 });
    const turns: number[] = [];
    await examine(
      filesOf(contents, async (bytes) => {
        turns.push(bytes);
      }),
      options,
    );
    expect(Math.max(...turns)).toBeLessThanOrEqual(256 * 1024);
    expect(turns.reduce((sum, bytes) => sum + bytes, 0)).toBeGreaterThan(300_000);
  });
});

it("takes a directory without CURRENT for a new one only when it may be", async () => {
  await expect(examine(filesOf(new Map()), options)).rejects.toMatchObject({ code: "LEVELDB_DAMAGED" });
  expect(await examine(filesOf(new Map()), { mark, mayBeNew: true })).toEqual({ bytes: 0, tornBytes: 0 });
});
