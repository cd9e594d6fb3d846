import { once } from "node:events";
import { createSecureServer, createServer, type Http2Server, type ServerHttp2Session } from "node:http2";
import type { AddressInfo } from "node:net";
import type { MessageInitShape } from "@bufbuild/protobuf";
import type { HandlerContext } from "@connectrpc/connect";
import { connectNodeAdapter } from "@connectrpc/connect-node";
import {
  type HeartbeatRequest,
  MonitorService,
  type OutcomeSchema,
  type RegisterRequest,
  type RegisterResponseSchema,
  type ReportRequest,
} from "@mon/proto";
import type { TestCertificate } from "../../../tools/build/certificate.ts";

/** What a broker of a test does with what it gets; by default it stores everything. */
export interface BrokerBehaviour {
  /** The outcome of a batch; a promise delays it and holds up the stream, undefined never answers. */
  outcome?: (
    request: ReportRequest,
    context: HandlerContext,
  ) => MessageInitShape<typeof OutcomeSchema> | undefined | Promise<MessageInitShape<typeof OutcomeSchema>>;
  register?: (request: RegisterRequest) => MessageInitShape<typeof RegisterResponseSchema>;
  /** What it shows who connects; absent for no TLS. */
  tls?: TestCertificate;
}

/** A real HTTP/2 server with `MonitorService`, on a port of its own. */
export class TestBroker implements AsyncDisposable {
  /** Every batch, in order of arrival. */
  readonly requests: ReportRequest[] = [];
  readonly heartbeats: HeartbeatRequest[] = [];
  readonly registrations: RegisterRequest[] = [];
  streams = 0;
  /** How many streams ended because the client closed its side. */
  streamsEnded = 0;
  behaviour: BrokerBehaviour;
  readonly #server: Http2Server;
  readonly #sessions = new Set<ServerHttp2Session>();
  #watchers: (() => void)[] = [];

  private constructor(behaviour: BrokerBehaviour) {
    this.behaviour = behaviour;
    const handler = connectNodeAdapter({
      routes: (router) => {
        router.service(MonitorService, {
          report: (requests, context) => this.#report(requests, context),
          register: (request) => {
            this.registrations.push(request);
            this.#changed();
            return this.behaviour.register?.(request) ?? { brokerId: "b1", heartbeatIntervalMs: 30_000 };
          },
          heartbeat: (request) => {
            this.heartbeats.push(request);
            this.#changed();
            return { brokerTimeMs: 1n };
          },
        });
      },
    });
    const { tls } = behaviour;
    this.#server =
      tls === undefined
        ? createServer(handler)
        : createSecureServer({ cert: tls.certificate, key: tls.key }, handler);
    this.#server.on("session", (session) => {
      this.#sessions.add(session);
      session.on("error", () => {});
      session.once("close", () => this.#sessions.delete(session));
    });
  }

  static async start(behaviour: BrokerBehaviour = {}, port = 0): Promise<TestBroker> {
    const broker = new TestBroker(behaviour);
    broker.#server.listen(port, "127.0.0.1");
    await once(broker.#server, "listening");
    return broker;
  }

  get port(): number {
    return (this.#server.address() as AddressInfo).port;
  }

  get url(): string {
    return `${this.behaviour.tls === undefined ? "http" : "https"}://127.0.0.1:${this.port}`;
  }

  /** All host ids that were received, in order. */
  get hostIds(): string[] {
    return this.requests.flatMap((request) => request.reports.map((report) => report.hostId));
  }

  /** Resolves as soon as `condition` holds; looked at after each thing received. */
  async until(condition: () => boolean): Promise<void> {
    while (!condition()) await new Promise<void>((resolve) => this.#watchers.push(resolve));
  }

  /** Asks every client to move elsewhere in good order. */
  goAway(): void {
    for (const session of this.#sessions) session.goaway();
  }

  /** Ends every connection at once; the server goes on listening. */
  cut(): void {
    for (const session of this.#sessions) session.destroy();
  }

  /** Dies: no goodbye, and the port is free again. */
  async kill(): Promise<void> {
    const closed = this.#server.listening ? once(this.#server, "close") : Promise.resolve();
    this.#server.close();
    this.cut();
    await closed;
  }

  [Symbol.asyncDispose](): Promise<void> {
    return this.kill();
  }

  async *#report(requests: AsyncIterable<ReportRequest>, context: HandlerContext) {
    this.streams += 1;
    this.#changed();
    for await (const request of requests) {
      this.requests.push(request);
      this.#changed();
      const outcome = this.behaviour.outcome
        ? await this.behaviour.outcome(request, context)
        : { reportsStored: request.reports.length };
      if (outcome !== undefined) yield { sequence: request.sequence, outcome };
    }
    this.streamsEnded += 1;
    this.#changed();
  }

  #changed(): void {
    const watchers = this.#watchers;
    this.#watchers = [];
    for (const resolve of watchers) resolve();
  }
}
