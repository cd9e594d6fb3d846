import { readFile, rm, writeFile } from "node:fs/promises";
import { expect, test, vi } from "vitest";
import { TestBroker } from "./broker.ts";

test("the snippet of the README reports, and prints what it says", async () => {
  await using broker = await TestBroker.start();
  const readme = await readFile(new URL("../README.md", import.meta.url), "utf8");
  const snippets = [...readme.matchAll(/^```ts\n(.*?)^```/gms)].map(([, code]) => code as string);
  expect(snippets.length).toBeGreaterThan(0);
  const printed: unknown[] = [];
  const log = vi.spyOn(console, "log").mockImplementation((line) => printed.push(line));
  for (const [index, snippet] of snippets.entries()) {
    const file = new URL(`./readme-snippet-${process.pid}-${index}.ts`, import.meta.url);
    await writeFile(file, snippet.replace("http://127.0.0.1:7400", broker.url));
    try {
      await import(file.href);
    } finally {
      await rm(file);
    }
  }
  log.mockRestore();
  expect(printed).toEqual([{ sent: 2, acked: 2, rejected: 0, dropped: 0, buffered: 0 }]);
  expect(broker.hostIds).toEqual(["web-1"]);
});
