import { setTimeout as delay } from "node:timers/promises";
import { describe, expect, it } from "vitest";
import { BrokerProcess, type BrokerProcessOptions } from "./support/broker-process.ts";
import { Ledger } from "./support/ledger.ts";
import { readLedger } from "./support/reports.ts";
import { TempDirectory } from "./support/temp-directory.ts";
import { type Round, Writer } from "./support/writer.ts";

const rounds = process.env.MON_TEST === "full" ? 25 : process.env.MON_CHAOS === "1" ? 10 : 3;
const forgetfulStore = new URL("./support/forgetful-store.ts", import.meta.url).href;
/** Acknowledgements that a round must reach before the broker dies; with fewer the round proves little. */
const ackedMin = 3_000;

describe("every acknowledged report is there after kill -9 under load", () => {
  it(`in ${rounds} rounds: nothing lost, wrong, doubled or made up`, { timeout: 600_000 }, async () => {
    const { check, rounds: ran } = await killUnderLoad({}, rounds);
    expect(check).toEqual({ lost: 0, wrong: 0, duplicates: 0, phantoms: 0 });
    // A run in which little was acknowledged, or nothing was under way when the broker died, shows nothing.
    for (const { acked, unanswered } of ran) {
      expect(acked).toBeGreaterThanOrEqual(ackedMin);
      expect(unanswered).toBeGreaterThan(0);
    }
  });

  it("and a broker that forgets one report in a thousand is caught", { timeout: 120_000 }, async () => {
    const { check } = await killUnderLoad({ preload: [forgetfulStore] }, 1);
    expect(check.lost).toBeGreaterThan(0);
    expect(check).toMatchObject({ wrong: 0, duplicates: 0, phantoms: 0 });
  });
});

/** Writes, kills, starts again on the same directory, and reads everything back at the end. */
async function killUnderLoad(options: BrokerProcessOptions, roundCount: number) {
  await using directory = await TempDirectory.create();
  const dataDir = `${directory.path}/data`;
  const ledger = new Ledger();
  const startMs = Date.now() - 3_600_000;
  const writer = new Writer(ledger, startMs);
  const ran: Round[] = [];
  for (let i = 0; i < roundCount; i++) {
    await using broker = await BrokerProcess.start({ ...options, dataDir });
    // Somewhere within the next flushes, with some of them half done.
    ran.push(
      await writer.write(broker, ackedMin, () => delay((ran.length * 7) % 20).then(() => broker.kill())),
    );
  }
  await using broker = await BrokerProcess.start({ dataDir });
  return { check: ledger.check(await readLedger(broker.query, startMs)), rounds: ran };
}
