import { once } from "node:events";
import { createServer, type Http2Server, type ServerHttp2Session } from "node:http2";
import type { Message, NodeId, SnapshotMessage, Transport, TransportHandler } from "@mon/raft";
import { ConnectTransport, type ConnectTransportDeps, serverOptions } from "@mon/raft-connect";

/** A transport with a server of its own, which listens from start to stop: each node that a supervisor makes has one. */
export class ListeningTransport implements Transport {
  readonly #transport: ConnectTransport;
  readonly #server: Http2Server;
  readonly #sessions = new Set<ServerHttp2Session>();
  readonly #host: string;
  readonly #port: number;

  constructor(host: string, port: number, deps: ConnectTransportDeps) {
    this.#host = host;
    this.#port = port;
    this.#transport = new ConnectTransport(deps);
    this.#server = createServer(serverOptions);
    this.#server.on("session", (session: ServerHttp2Session) => {
      this.#sessions.add(session);
      session.once("close", () => this.#sessions.delete(session));
    });
    this.#transport.mount(this.#server);
  }

  async start(handler: TransportHandler): Promise<void> {
    this.#server.listen(this.#port, this.#host);
    await once(this.#server, "listening");
    await this.#transport.start(handler);
  }

  send(to: NodeId, messages: readonly Message[]): void {
    this.#transport.send(to, messages);
  }

  async sendSnapshot(
    to: NodeId,
    message: SnapshotMessage,
    chunks: AsyncIterable<Uint8Array>,
    signal: AbortSignal,
  ): Promise<void> {
    await this.#transport.sendSnapshot(to, message, chunks, signal);
  }

  async stop(): Promise<void> {
    await this.#transport.stop();
    if (!this.#server.listening) return;
    const closed = once(this.#server, "close");
    this.#server.close();
    for (const session of this.#sessions) session.destroy();
    await closed;
  }
}
