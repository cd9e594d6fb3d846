import { once } from "node:events";
import { createSecureServer, createServer, type Http2Server, type ServerHttp2Session } from "node:http2";
import type { AddressInfo } from "node:net";
import type { MessageInitShape } from "@bufbuild/protobuf";
import { connectNodeAdapter } from "@connectrpc/connect-node";
import {
  MonitorService,
  type OutcomeSchema,
  type RegisterRequest,
  type Report,
  type ReportRequest,
} from "@mon/proto";
import type { TestCertificate } from "../../../tools/build/certificate.ts";

/** The outcome of a batch; undefined never answers. */
export type Judge = (request: ReportRequest) => MessageInitShape<typeof OutcomeSchema> | undefined;

/** A real HTTP/2 server with `MonitorService`, on a port of its own. Stores everything unless told otherwise. */
export class TestBroker implements AsyncDisposable {
  readonly reports: Report[] = [];
  readonly registrations: RegisterRequest[] = [];
  readonly #server: Http2Server;
  readonly #sessions = new Set<ServerHttp2Session>();
  readonly #scheme: "http" | "https";
  #watchers: (() => void)[] = [];

  private constructor(judge: Judge, tls: TestCertificate | undefined) {
    const report = (requests: AsyncIterable<ReportRequest>) => this.#report(requests, judge);
    const register = (request: RegisterRequest) => {
      this.registrations.push(request);
      this.#changed();
      return { brokerId: "b1", brokerVersion: "0.1.0", heartbeatIntervalMs: 30_000 };
    };
    const handler = connectNodeAdapter({
      routes: (router) => router.service(MonitorService, { report, register }),
    });
    this.#scheme = tls === undefined ? "http" : "https";
    this.#server =
      tls === undefined
        ? createServer(handler)
        : createSecureServer({ cert: tls.certificate, key: tls.key }, handler);
    this.#server.on("session", (session) => {
      this.#sessions.add(session);
      session.on("error", () => {});
    });
  }

  static async start(judge: Judge = () => ({}), tls?: TestCertificate): Promise<TestBroker> {
    const broker = new TestBroker(judge, tls);
    broker.#server.listen(0, "127.0.0.1");
    await once(broker.#server, "listening");
    return broker;
  }

  get url(): string {
    return `${this.#scheme}://127.0.0.1:${(this.#server.address() as AddressInfo).port}`;
  }

  /** Resolves as soon as `condition` holds; looked at after each thing received. */
  async until(condition: () => boolean): Promise<void> {
    while (!condition()) await new Promise<void>((resolve) => this.#watchers.push(resolve));
  }

  async [Symbol.asyncDispose](): Promise<void> {
    const closed = once(this.#server, "close");
    this.#server.close();
    for (const session of this.#sessions) session.destroy();
    await closed;
  }

  async *#report(requests: AsyncIterable<ReportRequest>, judge: Judge) {
    for await (const request of requests) {
      this.reports.push(...request.reports);
      this.#changed();
      const outcome = judge(request);
      if (outcome !== undefined) yield { sequence: request.sequence, outcome };
    }
  }

  #changed(): void {
    const watchers = this.#watchers;
    this.#watchers = [];
    for (const resolve of watchers) resolve();
  }
}
