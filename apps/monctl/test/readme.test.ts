import { readFileSync } from "node:fs";
import { expect, it } from "vitest";
import { dataStartMs, startBroker } from "./support/broker.ts";
import { runToEnd } from "./support/run.ts";
import { transcriptSteps, wordsOf } from "./support/transcript.ts";

const readme = readFileSync(new URL("../README.md", import.meta.url), "utf8");

it("the README's transcripts are what the program prints", async () => {
  await using broker = await startBroker();
  const steps = transcriptSteps(readme);
  expect(steps.length).toBeGreaterThan(4);
  for (const { command, output } of steps) {
    const [program, ...args] = wordsOf(command);
    expect(program).toBe("monctl");
    const { stdout, stderr } = await runToEnd(args, {
      env: { MON_BROKER: broker.url },
      now: dataStartMs + 60_000,
    });
    expect(`$ ${command}\n${stdout}${stderr}`).toBe(`$ ${command}\n${output}`);
  }
});
