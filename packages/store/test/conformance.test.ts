import { execFile } from "node:child_process";
import { createRequire } from "node:module";
import path from "node:path";
import { fileURLToPath } from "node:url";
import { beforeAll, describe, expect, it } from "vitest";
import { type SetupOptions, storeConformance } from "../src/conformance.ts";
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
  storeConformance("MemoryStore", { setup: (options) => opened(new MemoryStore(options)) });
  for (const [name, { Store, reopens = false }] of Object.entries(brokenStores)) {
    const setup = (options?: SetupOptions): Promise<MemoryStore> => opened(new Store(options));
    storeConformance(name, reopens ? { setup, reopen: () => setup() } : { setup });
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
    const claims = new Set(Object.values(brokenStores).map(({ claim }) => claim));
    claims.delete(brokenStores.ComesBackEmpty!.claim);
    const passed = verdicts.filter(({ store, holds }) => store === "MemoryStore" && holds);
    expect(new Set(passed.map(({ claim }) => claim))).toEqual(claims);
    expect(failuresOf("MemoryStore")).toEqual([]);
  });

  it.each(Object.entries(brokenStores))("fails a store that is broken: %s", (name, { claim }) => {
    expect(failuresOf(name)).toContain(claim);
  });
}

/** For each broken store the claim that must notice, and all of these for the one that keeps the contract. */
function claimsToRun(): string {
  return Object.entries(brokenStores)
    .map(([name, { claim }]) => `^(${name}|MemoryStore) keeps .* ${claim.replaceAll(/[^\w ]/g, "\\$&")}$`)
    .join("|");
}

/** Runs the suites and reads what Vitest prints for each test: `not ok 7 - file > suite > title # time=1ms`. */
async function runSuites(): Promise<readonly Verdict[]> {
  const vitest = path.join(
    path.dirname(createRequire(import.meta.url).resolve("vitest/package.json")),
    "vitest.mjs",
  );
  const args = [
    vitest,
    "run",
    fileURLToPath(import.meta.url),
    "--reporter=tap-flat",
    "--testNamePattern",
    claimsToRun(),
  ];
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
  return printed
    .split("\n")
    .filter((line) => !line.endsWith("# SKIP"))
    .flatMap((line) => {
      const [, verdict, store, claim] =
        /^(ok|not ok) \d+ - \S+ > (\w+) keeps .*? > (.*?)(?: # time=.*)?$/.exec(line) ?? [];
      return verdict === undefined ? [] : [{ store: store!, claim: claim!, holds: verdict === "ok" }];
    });
}
