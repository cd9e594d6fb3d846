import { readFile } from "node:fs/promises";
import { fileURLToPath } from "node:url";
import { expect, test } from "vitest";
import { Collection } from "../src/collection.ts";
import { linuxCollectors } from "../src/platform.ts";
import { ProcFs } from "../src/proc-fs.ts";
import { settingsFrom } from "../src/settings.ts";

const readme = await readFile(fileURLToPath(new URL("../README.md", import.meta.url)), "utf8");

test("every command of the README is one that the agent takes", () => {
  const [, block = ""] = /^```sh\n(.*?)^```/ms.exec(readme) ?? [];
  const commands = block.split("\n").filter((line) => line.startsWith("mon-agent"));
  expect(commands.length).toBe(6);
  for (const command of commands) {
    const args = command.replace(/#.*/, "").trim().split(/\s+/).slice(1);
    const said: string[] = [];
    const write = (text: string): number => said.push(text);
    expect("isUsageError" in settingsFrom(args, "0", { out: write, error: write }), said.join("")).toBe(
      false,
    );
  }
});

test.runIf(process.platform === "linux")("every metric that is sent is in the README's table", async () => {
  const collection = new Collection(linuxCollectors(new ProcFs()), {
    onFailed: (_, error) => {
      throw error;
    },
    onRecovered: () => {},
  });
  await collection.collect();
  const names = new Set((await collection.collect()).map(({ name }) => name.replace(/_(5|15)m$/, "_1m")));
  for (const name of names) expect(readme).toContain(`\`${name}\``);
});
