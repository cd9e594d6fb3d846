import { execFile } from "node:child_process";
import path from "node:path";
import { promisify } from "node:util";
import { describe, expect, it } from "vitest";
import type { HeapGrowth } from "./heap-growth.ts";

const program = path.join(import.meta.dirname, "heap-growth.ts");

// 256 MiB of young generation hold all that a million lookups could allocate, so growth is what they did allocate.
const flags = [
  "--conditions=@mon/source",
  "--no-warnings",
  "--expose-gc",
  "--min-semi-space-size=256",
  "--max-semi-space-size=256",
];

describe("a million lookups", async () => {
  const { stdout } = await promisify(execFile)(process.execPath, [...flags, program]);
  const { lookups, grown }: HeapGrowth = JSON.parse(stdout);
  const { "string that is built": control, ...kinds } = grown;

  it.each(Object.entries(kinds))("allocate nothing: %s", (_, bytes) => {
    // The smallest object takes twelve bytes. What is less than one is the process's own.
    expect(bytes).toBeLessThan(lookups);
  });

  it("would show: building the key as a string takes tens of megabytes", () => {
    expect(control).toBeGreaterThan(lookups * 30);
  });
});
