import { once } from "node:events";
import { type AddressInfo, connect, createServer, type Server, type Socket } from "node:net";
import type { Address, Network } from "./network.ts";

const host = "127.0.0.1";

/** A port that was free a moment ago, and is not given again soon. */
async function freePort(): Promise<number> {
  const server = createServer().listen(0, host);
  await once(server, "listening");
  // It listens at a port.
  const { port } = server.address() as AddressInfo;
  server.close();
  await once(server, "close");
  return port;
}

/** The bytes of one connection in one direction. */
interface Flow {
  readonly from: string;
  readonly to: string;
  readonly source: Socket;
}

/**
 * A proxy for each ordered pair of members, in this process: `from` reaches `to` by it. A cut holds bytes back until it is
 * healed, as TCP does when packets are lost. For machines on which nobody may make network namespaces.
 */
export class Proxies implements Network {
  readonly kind = "proxies";
  readonly #ids: readonly string[];
  readonly #peerPorts = new Map<string, number>();
  readonly #clientPorts = new Map<string, number>();
  readonly #proxyPorts = new Map<string, number>();
  readonly #servers: Server[] = [];
  readonly #sockets = new Set<Socket>();
  readonly #flows = new Set<Flow>();
  readonly #cuts = new Set<string>();

  constructor(ids: readonly string[]) {
    this.#ids = ids;
  }

  async open(): Promise<void> {
    for (const id of this.#ids) {
      this.#peerPorts.set(id, await freePort());
      this.#clientPorts.set(id, await freePort());
    }
    for (const from of this.#ids) for (const to of this.#ids) if (from !== to) await this.#listen(from, to);
  }

  peerAddress(from: string, to: string): Address {
    const port = from === to ? this.#peerPorts.get(to) : this.#proxyPorts.get(pair(from, to));
    return { host, port: port! };
  }

  clientAddress(id: string): Address {
    return { host, port: this.#clientPorts.get(id)! };
  }

  commandOf(_id: string, command: readonly string[]): readonly string[] {
    return command;
  }

  async cut(from: string, to: string): Promise<void> {
    this.#cuts.add(pair(from, to));
    for (const flow of this.#flows) if (flow.from === from && flow.to === to) flow.source.pause();
  }

  async mend(from: string, to: string): Promise<void> {
    this.#cuts.delete(pair(from, to));
    for (const flow of this.#flows) if (flow.from === from && flow.to === to) flow.source.resume();
  }

  async heal(): Promise<void> {
    this.#cuts.clear();
    for (const { source } of this.#flows) source.resume();
  }

  async close(): Promise<void> {
    for (const socket of this.#sockets) socket.destroy();
    await Promise.all(
      this.#servers.map(async (server) => {
        server.close();
        await once(server, "close");
      }),
    );
  }

  async #listen(from: string, to: string): Promise<void> {
    const server = createServer((near) => {
      const far = connect(this.#peerPorts.get(to)!, host);
      this.#carry({ from, to, source: near }, far);
      this.#carry({ from: to, to: from, source: far }, near);
    });
    server.listen(0, host);
    await once(server, "listening");
    this.#servers.push(server);
    // It listens at a port.
    this.#proxyPorts.set(pair(from, to), (server.address() as AddressInfo).port);
  }

  #carry(flow: Flow, target: Socket): void {
    const { from, source, to } = flow;
    this.#flows.add(flow);
    this.#sockets.add(source);
    source.setNoDelay(true);
    // Flow control is left out: what members send is bounded, and a member that is paused is a fault of its own.
    source.on("data", (chunk: Buffer) => target.write(chunk));
    source.on("error", () => target.destroy());
    source.once("close", () => {
      this.#flows.delete(flow);
      this.#sockets.delete(source);
      target.destroy();
    });
    if (this.#cuts.has(pair(from, to))) source.pause();
  }
}

function pair(from: string, to: string): string {
  return `${from}>${to}`;
}
