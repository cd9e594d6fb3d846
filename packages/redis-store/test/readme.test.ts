import { execFileSync } from "node:child_process";
import { readFileSync } from "node:fs";
import { fileURLToPath } from "node:url";
import { expect, it } from "vitest";
import { startDeployment } from "../../../tools/redis/deployment.ts";

const root = fileURLToPath(new URL("..", import.meta.url));
const readme = readFileSync(`${root}/README.md`, "utf8");
const snippets = [...readme.matchAll(/^```ts\n(.*?)^```$/gms)].map((match) => match[1]!);

it("has a snippet in its README", () => {
  expect(snippets).not.toEqual([]);
});

it.each(snippets)("prints what the comments of README snippet %# say", async (snippet) => {
  await using deployment = await startDeployment("standalone");
  const expected = [...snippet.matchAll(/console\.log\(.*\); \/\/ (.*)$/gm)].map((match) => match[1]);
  const args = ["--conditions=@mon/source", "--no-warnings", "--input-type=module-typescript"];
  const env = { ...process.env, REDIS_URL: `redis://${deployment.addresses[0]!}` };
  const printed = execFileSync(process.execPath, args, { cwd: root, input: snippet, encoding: "utf8", env });
  expect(printed.trimEnd().split("\n")).toEqual(expected);
});
