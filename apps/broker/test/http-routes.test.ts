import { once } from "node:events";
import { createServer } from "node:http";
import type { AddressInfo } from "node:net";
import { MemoryStore } from "@mon/store";
import { Registry } from "prom-client";
import { expect, it } from "vitest";
import { httpRoutes } from "../src/http-routes.ts";
import { Lifecycle } from "../src/lifecycle.ts";
import { Liveness } from "../src/services/liveness.ts";

it("/api/v1/hosts answers 503, with when to ask again, while the store cannot be read", async () => {
  const store = new MemoryStore();
  const routes = httpRoutes({
    store,
    lifecycle: new Lifecycle(store),
    liveness: new Liveness(),
    metrics: new Registry(),
  });
  const server = createServer((request, response) => void routes["/api/v1/hosts"]!(request, response));
  server.listen(0, "127.0.0.1");
  await once(server, "listening");
  const url = `http://127.0.0.1:${(server.address() as AddressInfo).port}/api/v1/hosts`;
  const unavailable = await fetch(url);
  expect([unavailable.status, unavailable.headers.get("retry-after")]).toEqual([503, "1"]);
  expect(await unavailable.json()).toEqual({ error: expect.stringContaining("expected an open store") });
  await store.open();
  const available = await fetch(url);
  expect([available.status, await available.json()]).toEqual([200, { hosts: [], next: null }]);
  await store.close();
  server.close();
  server.closeAllConnections();
});
