import { readFile } from "node:fs/promises";
import { createServer, type Server } from "node:http";
import { join } from "node:path";
import type { ConnectRouter } from "@connectrpc/connect";
import { connectNodeAdapter } from "@connectrpc/connect-node";
import { AdminService, BrokerState, Kind, QueryService } from "@mon/proto";

const name = "system_cpu_utilization_ratio";
const missing = ["block 12 of host web-1 is damaged"];
const types: Record<string, string> = { js: "text/javascript", css: "text/css", svg: "image/svg+xml" };

/** A server that answers the page as a broker with a damaged store would: in part, and saying so. */
export class DamagedBroker {
  readonly #server: Server;

  /** @param pageDir - the built page */
  constructor(pageDir: string) {
    const calls = connectNodeAdapter({ routes });
    this.#server = createServer((request, response) => {
      const path = new URL(request.url ?? "/", "http://page").pathname;
      if (path.startsWith("/mon.v1.")) {
        calls(request, response);
        return;
      }
      const file = path === "/" ? "index.html" : path;
      readFile(join(pageDir, file)).then(
        (bytes) => {
          response.setHeader("content-type", types[file.split(".").at(-1)!] ?? "text/html");
          response.end(bytes);
        },
        () => response.writeHead(404).end(),
      );
    });
  }

  async start(): Promise<string> {
    await new Promise<void>((resolve) => this.#server.listen(0, "127.0.0.1", resolve));
    const address = this.#server.address();
    if (address === null || typeof address === "string") throw new Error("expected a port, got none");
    return `http://127.0.0.1:${address.port}`;
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.#server.closeAllConnections();
    await new Promise<void>((resolve) => this.#server.close(() => resolve()));
  }
}

function routes(router: ConnectRouter): void {
  router.service(AdminService, {
    status: () => ({
      brokerId: "broker-1",
      state: BrokerState.DEGRADED,
      problems: ["the store is damaged"],
      timeMs: BigInt(Date.now()),
    }),
  });
  router.service(QueryService, {
    listHosts: () => ({
      hosts: [{ hostId: "web-1", lastSeenMs: BigInt(Date.now()), series: 1 }],
      hostsTotal: 1n,
    }),
    listMetrics: () => ({ metrics: [{ name, kind: Kind.GAUGE, series: 1 }] }),
    queryLatest: () => ({
      hosts: [{ hostId: "web-1", values: [{ sample: { name, value: 0.25 } }] }],
      partial: true,
      missing,
    }),
    async *queryRange({ startMs, stepMs }) {
      const offset = Number(stepMs);
      yield {
        series: [
          { series: { hostId: "web-1", name }, baseMs: startMs, offsetsMs: [0, offset], values: [0.2, 0.3] },
        ],
      };
      yield { summary: { series: 1, partial: true, missing } };
    },
  });
}
