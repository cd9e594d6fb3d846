import { readFile } from "node:fs/promises";
import { createServer } from "node:http2";
import type { AddressInfo } from "node:net";
import path from "node:path";
import { connectNodeAdapter } from "@connectrpc/connect-node";
import { afterAll, beforeAll, expect, it } from "vitest";
import { readmeSnippets, runSnippet, snippetTypeErrors } from "../../../tools/build/readme-snippets.ts";
import { AdminService, MonitorService, QueryService } from "../src/index.ts";

const root = path.join(import.meta.dirname, "..");
const snippets = await readmeSnippets(root);

/** Stores all that it is sent, so it says. */
const server = createServer(
  connectNodeAdapter({
    routes(router) {
      router.service(MonitorService, {
        push: ({ reports }) => ({ outcome: { reportsStored: reports.length } }),
      });
    },
  }),
);

beforeAll(() => new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve)));
afterAll(() => new Promise<void>((resolve) => server.close(() => resolve())));

it("the README's snippets type-check", async () => {
  expect(await snippetTypeErrors(root, snippets)).toBe("");
});

it.each(snippets)(
  "the README's snippet at line $line prints what its comments say",
  async ({ code, prints }) => {
    // Listening, so the address is no path.
    const { port } = server.address() as AddressInfo;
    expect(await runSnippet(root, code.replace("127.0.0.1:7400", `127.0.0.1:${port}`))).toEqual(prints);
  },
);

it("the README's table lists every method of the services", async () => {
  const readme = await readFile(path.join(root, "README.md"), "utf8");
  const listed = [
    ...readme.matchAll(/^\| `(\w+)` +\| (?:unary|bidirectional|server stream|client stream) /gm),
  ].map((row) => row[1]);
  const methods = [MonitorService, QueryService, AdminService].flatMap((service) =>
    service.methods.map(({ name }) => name),
  );
  expect(listed).toEqual(methods);
});
