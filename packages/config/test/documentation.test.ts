import { readFileSync } from "node:fs";
import { fileURLToPath } from "node:url";
import { brokerSchema, describeSchema, renderMarkdown } from "@mon/config";
import { expect, test } from "vitest";
import { loadYaml } from "./broker-config.ts";

const pagePath = fileURLToPath(new URL("../../../docs/configuration.md", import.meta.url));

test("docs/configuration.md has the table of the schema as it is", async () => {
  const page = readFileSync(pagePath, "utf8");
  const [, before, after] = /^(.*<!-- keys: begin [^\n]*\n).*(<!-- keys: end -->\n)$/s.exec(page) ?? [];
  await expect(`${before}${renderMarkdown(brokerSchema)}${after}`).toMatchFileSnapshot(pagePath);
});

test("the file in docs/configuration.md is one that loads", () => {
  const [, text = ""] = /```yaml\n(.*?)```/s.exec(readFileSync(pagePath, "utf8")) ?? [];
  expect(loadYaml(text).settings.get("store.retentionMs")?.origin).toBe("file");
});

test("the table has a row of seven cells for each key", () => {
  const rows = renderMarkdown(brokerSchema).trimEnd().split("\n");
  expect(rows).toHaveLength(describeSchema(brokerSchema).length + 2);
  for (const row of rows) expect(row.match(/(?<!\\)\|/g)).toHaveLength(8);
});
