import type { ServerResponse } from "node:http";
import { type MetricStore, StoreError } from "@mon/store";
import type { Registry } from "prom-client";
import type { Route } from "./doors/http-door.ts";
import type { Lifecycle } from "./lifecycle.ts";
import type { Liveness } from "./services/liveness.ts";

/** What plain requests are answered from. */
export interface HttpRouteDeps {
  readonly lifecycle: Lifecycle;
  readonly store: MetricStore;
  readonly liveness: Liveness;
  readonly metrics: Registry;
}

const hostsPageMax = 10_000;
/** When to ask again for what the store could not answer. */
const retryAfterSeconds = 1;

/** Plain requests of door 7480, by path. */
export function httpRoutes({
  lifecycle,
  store,
  liveness,
  metrics,
}: HttpRouteDeps): Readonly<Record<string, Route>> {
  return {
    /** Whether the process is alive. */
    "/healthz": async (_request, response) => sendText(response, 200, "ok\n"),

    /** Whether reports are taken. */
    "/readyz": async (_request, response) => {
      const { state, problems, isReady } = await lifecycle.health();
      sendText(response, isReady ? 200 : 503, `${[state, ...problems].join("\n")}\n`);
    },

    "/metrics": async (_request, response) => {
      response.writeHead(200, { "content-type": metrics.contentType });
      response.end(await metrics.metrics());
    },

    /** Hosts as JSON, a page at a time: `?prefix=`, `?after=`, `?limit=`. */
    "/api/v1/hosts": async ({ url }, response) => {
      const query = new URL(url ?? "", "http://localhost").searchParams;
      const limit = Number(query.get("limit") ?? 1_000);
      if (!Number.isInteger(limit) || limit < 1 || limit > hostsPageMax) {
        sendJson(response, 400, { error: `limit: expected 1 to ${hostsPageMax}, got ${query.get("limit")}` });
        return;
      }
      const after = query.get("after");
      const request = { prefix: query.get("prefix") ?? "", limit, ...(after !== null && { after }) };
      const hosts = await store.hosts(request).catch((error: unknown) => {
        if (error instanceof StoreError) return error;
        throw error;
      });
      if (hosts instanceof StoreError) {
        response.setHeader("retry-after", retryAfterSeconds);
        sendJson(response, 503, { error: hosts.message });
        return;
      }
      sendJson(response, 200, {
        hosts: hosts.map((host) => ({ ...host, lastHeartbeatMs: liveness.lastHeartbeatMs(host.hostId) })),
        next: hosts.length === limit ? hosts.at(-1)!.hostId : null,
      });
    },
  };
}

function sendText(response: ServerResponse, status: number, text: string): void {
  response.writeHead(status, { "content-type": "text/plain; charset=utf-8", "cache-control": "no-store" });
  response.end(text);
}

function sendJson(response: ServerResponse, status: number, body: unknown): void {
  response.writeHead(status, { "content-type": "application/json", "cache-control": "no-store" });
  response.end(`${JSON.stringify(body)}\n`);
}
