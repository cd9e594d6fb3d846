import { execFile } from "node:child_process";
import { createRequire } from "node:module";
import path from "node:path";
import { fileURLToPath } from "node:url";
import { beforeAll, describe, expect, it } from "vitest";
import { storeConformance } from "../src/conformance.ts";
import { MemoryStore } from "../src/index.ts";
import { brokenStores } from "./support/broken-stores.ts";

/** Whether a claim of the suite holds for a store. */
interface Verdict {
  readonly store: string;
  readonly claim: string;
  readonly holds: boolean;
}

// This file runs itself once more, in a Vitest of its own whose failures are what is looked for.
if (process.env.MON_BROKEN_STORES === "true") defineSuites();
else describe("the conformance suite", defineChecks);

async function opened(store: MemoryStore): Promise<MemoryStore> {
  await store.open();
  return store;
}

function defineSuites(): void {
  storeConformance("MemoryStore", { create: () => opened(new MemoryStore()) });
  for (const [name, { Store, reopens = false }] of Object.entries(brokenStores)) {
    const create = (): Promise<MemoryStore> => opened(new Store());
    storeConformance(name, reopens ? { create, reopen: create } : { create });
  }
}

function defineChecks(): void {
  let verdicts: readonly Verdict[];

  beforeAll(async () => {
    verdicts = await runSuites();
  }, 60_000);

  const failuresOf = (name: string): string[] =>
    verdicts.filter(({ store, holds }) => store === name && !holds).map(({ claim }) => claim);

  it("passes a store that keeps the contract", () => {
    expect(verdicts.length).toBeGreaterThan(25 * Object.keys(brokenStores).length);
    expect(failuresOf("MemoryStore")).toEqual([]);
  });

  it.each(Object.entries(brokenStores))("fails a store that is broken: %s", (name, { claim }) => {
    expect(failuresOf(name)).toContain(claim);
  });
}

/** Runs the suites and reads what Vitest prints for each test: `not ok 7 - file > suite > title # time=1ms`. */
async function runSuites(): Promise<readonly Verdict[]> {
  const vitest = path.join(
    path.dirname(createRequire(import.meta.url).resolve("vitest/package.json")),
    "vitest.mjs",
  );
  const args = [vitest, "run", fileURLToPath(import.meta.url), "--reporter=tap-flat"];
  const options = {
    cwd: path.join(import.meta.dirname, ".."),
    env: { ...process.env, MON_BROKEN_STORES: "true" },
    maxBuffer: 64 * 1024 * 1024,
  };
  const { exitCode, printed } = await new Promise<{ exitCode: unknown; printed: string }>((resolve) => {
    execFile(process.execPath, args, options, (error, stdout) =>
      resolve({ exitCode: error?.code ?? 0, printed: stdout }),
    );
  });
  expect(exitCode).toBe(1);
  return [...printed.matchAll(/^(ok|not ok) \d+ - \S+ > (\w+) keeps .*? > (.*?)(?: # time=.*)?$/gm)].map(
    ([, verdict, store, claim]) => ({ store: store!, claim: claim!, holds: verdict === "ok" }),
  );
}
