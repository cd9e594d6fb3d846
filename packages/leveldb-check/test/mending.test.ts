import {
  currentManifest,
  encodeManifest,
  isSoundBlock,
  type Manifest,
  manifestOf,
  readStructure,
  recoverStructure,
  remainsOf,
  spanOf,
  type TableEntry,
  type TableStructure,
} from "@mon/leveldb-check";
import { describe, expect, it } from "vitest";
import { type Contents, entriesOf, filesOf, flipped, writtenDatabase } from "./database.ts";

const turn = async (): Promise<void> => {};

/** A database of one table, and that table. */
async function oneTable(compression: boolean): Promise<{
  contents: Contents;
  manifest: Manifest;
  table: TableEntry;
  name: string;
}> {
  const contents = await writtenDatabase({ compression });
  const files = filesOf(contents);
  const manifestName = (await currentManifest(files, await files.names(), false))!;
  const manifest = manifestOf(contents.get(manifestName)!, manifestName);
  expect(manifest.tables.size).toBe(1);
  const [table] = manifest.tables.values();
  return { contents, manifest, table: table!, name: `${String(table!.number).padStart(6, "0")}.ldb` };
}

async function structureOf(contents: Contents, name: string): Promise<TableStructure> {
  const file = await filesOf(contents).open(name);
  return readStructure(file).catch((error: unknown) => {
    if (!(error instanceof RangeError)) throw error;
    return recoverStructure(file, turn);
  });
}

/** The database with a table of some blocks of its own in place of it. */
function withBlocks(
  { contents, manifest, table, name }: Awaited<ReturnType<typeof oneTable>>,
  { blocks }: TableStructure,
): Contents {
  const number = manifest.nextFileNumber;
  const { keptBytes, end } = remainsOf(blocks);
  const bytes = Buffer.concat([contents.get(name)!.subarray(0, keptBytes), end]);
  const tables = new Map([[number, { ...table, number, bytes: bytes.length }]]);
  return new Map(contents)
    .set(`${String(number).padStart(6, "0")}.ldb`, bytes)
    .set("MANIFEST-000099", encodeManifest({ ...manifest, tables, nextFileNumber: 100 }))
    .set("CURRENT", Buffer.from("MANIFEST-000099\n"));
}

describe.each([true, false])("a damaged table, compression %s", (compression) => {
  it("loses the block that another bit is in, and LevelDB reads all others", async () => {
    const whole = await oneTable(compression);
    const { contents, table, name } = whole;
    const truth = await entriesOf(contents);
    const { blocks } = await structureOf(contents, name);
    expect(blocks.length).toBeGreaterThan(5);
    for (const index of [0, 3, blocks.length - 1]) {
      const damaged = flipped(contents, name, blocks[index]!.offset + 20);
      const structure = await structureOf(damaged, name);
      expect(structure).toEqual({ blocks, problem: undefined });
      const file = await filesOf(damaged).open(name);
      const sound = await Promise.all(blocks.map((block) => isSoundBlock(file, block, turn)));
      expect(sound).toEqual(blocks.map((_, i) => i !== index));
      const { from, to } = spanOf(table, structure, index);
      const rest = await entriesOf(
        withBlocks(
          { ...whole, contents: damaged },
          { blocks: blocks.filter((_, i) => i !== index), problem: undefined },
        ),
      );
      const lost = [...truth.keys()].filter((key) => !rest.has(key));
      expect(lost.length).toBeGreaterThan(0);
      for (const key of lost) {
        expect(Buffer.compare(Buffer.from(key), from)).toBeGreaterThanOrEqual(0);
        expect(Buffer.compare(Buffer.from(key), to)).toBeLessThanOrEqual(0);
      }
      for (const [key, value] of rest) expect(truth.get(key)).toBe(value);
    }
  });

  it("keeps all of its blocks whichever byte beside them has another bit", async () => {
    const { contents, name } = await oneTable(compression);
    const { blocks } = await structureOf(contents, name);
    const last = blocks.at(-1)!;
    const handles = blocks.map(({ offset, bytes }) => ({ offset, bytes }));
    for (let at = last.offset + last.bytes + 5; at < contents.get(name)!.length; at++) {
      const structure = await structureOf(flipped(contents, name, at), name);
      expect({ at, handles: structure.blocks.map(({ offset, bytes }) => ({ offset, bytes })) }).toEqual({
        at,
        handles,
      });
    }
  });

  it("is read whole by LevelDB when its index was made anew", async () => {
    const whole = await oneTable(compression);
    const { contents, name } = whole;
    const { blocks } = await structureOf(contents, name);
    // The footer begins with the filter's place; the index is the last block before it.
    const damaged = flipped(contents, name, contents.get(name)!.length - 48 - 12);
    const structure = await structureOf(damaged, name);
    expect(structure.problem).toBe("its index is damaged");
    expect(structure.blocks).toHaveLength(blocks.length);
    expect(await entriesOf(withBlocks({ ...whole, contents: damaged }, structure))).toEqual(
      await entriesOf(contents),
    );
  });

  it("is refused when more than that is damaged", async () => {
    const { contents, name } = await oneTable(compression);
    const { length } = contents.get(name)!;
    for (const at of [100, length - 48 - 12]) {
      const twice = flipped(flipped(contents, name, length - 1), name, at);
      const file = await filesOf(twice).open(name);
      await expect(readStructure(file)).rejects.toThrow(RangeError);
      await expect(recoverStructure(file, turn)).rejects.toThrow(RangeError);
    }
  });
});

it("writes a manifest of any size that says what was said", async () => {
  const tables = new Map(
    Array.from({ length: 2_000 }, (_, i): [number, TableEntry] => [
      i + 1,
      {
        level: i % 7,
        number: i + 1,
        bytes: i * 1_000_003,
        smallest: Buffer.alloc(40, i),
        largest: Buffer.alloc(40, i + 1),
      },
    ]),
  );
  const manifest: Manifest = {
    comparator: Buffer.from("leveldb.BytewiseComparator"),
    tables,
    logNumber: 300,
    previousLogNumber: 0,
    nextFileNumber: 2 ** 40,
    lastSequence: 2 ** 52 + 1,
  };
  expect(manifestOf(encodeManifest(manifest), "MANIFEST")).toEqual(manifest);
});
