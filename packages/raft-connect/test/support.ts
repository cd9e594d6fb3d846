import { once } from "node:events";
import { createSecureServer, createServer, type Http2Server, type SecureServerOptions } from "node:http2";
import {
  type AddressInfo,
  connect,
  createServer as createTcpServer,
  type Server,
  type Socket,
} from "node:net";
import type {
  Clock,
  Identity,
  Message,
  RaftError,
  SnapshotMessage,
  Timer,
  TransportHandler,
} from "@mon/raft";
import {
  ConnectTransport,
  type ConnectTransportDeps,
  type ConnectTransportOptions,
  serverOptions,
} from "../src/index.ts";

/** The machine's clock. */
const systemClock: Clock = {
  now: () => Date.now(),
  setTimeout: (callback, ms) => ({ cancel: clearTimeout.bind(undefined, setTimeout(callback, ms)) }),
  setImmediate: (callback) => ({ cancel: clearImmediate.bind(undefined, setImmediate(callback)) }),
};

/** A clock whose time passes by hand. Turns of the event loop are real, as the sockets are. */
export class HandClock implements Clock {
  #nowMs = 1_000_000;
  readonly #timers = new Set<{ readonly atMs: number; readonly callback: () => void }>();

  now(): number {
    return this.#nowMs;
  }

  setTimeout(callback: () => void, delayMs: number): Timer {
    const timer = { atMs: this.#nowMs + delayMs, callback };
    this.#timers.add(timer);
    return { cancel: () => this.#timers.delete(timer) };
  }

  setImmediate(callback: () => void): Timer {
    return systemClock.setImmediate(callback);
  }

  /** Lets time pass, and calls back who waited for it, in order. */
  advance(ms: number): void {
    this.#nowMs += ms;
    const due = [...this.#timers].filter(({ atMs }) => atMs <= this.#nowMs).sort((a, b) => a.atMs - b.atMs);
    for (const timer of due) {
      if (this.#timers.delete(timer)) timer.callback();
    }
  }
}

/** A handler that remembers what it got, and lets a test wait for it. */
export class Recorder implements TransportHandler {
  readonly identity: Identity;
  readonly received: Message[] = [];
  readonly peers: Identity[] = [];
  readonly lost: string[] = [];
  refusal: RaftError | undefined;
  takeSnapshot: (message: SnapshotMessage, chunks: AsyncIterable<Uint8Array>) => Promise<void> = drained;
  onReceive: () => void = () => {};
  #watchers: (() => void)[] = [];

  constructor(identity: Identity) {
    this.identity = identity;
  }

  receive(peer: Identity, messages: readonly Message[]): void {
    if (this.refusal !== undefined) throw this.refusal;
    this.peers.push(peer);
    this.received.push(...messages);
    this.onReceive();
    this.changed();
  }

  async receiveSnapshot(
    _: Identity,
    message: SnapshotMessage,
    chunks: AsyncIterable<Uint8Array>,
  ): Promise<void> {
    if (this.refusal !== undefined) throw this.refusal;
    await this.takeSnapshot(message, chunks);
    this.changed();
  }

  unreachable(to: string): void {
    this.lost.push(to);
    this.changed();
  }

  /** Resolves when something holds, looked at whenever something comes. */
  async until(condition: () => boolean): Promise<void> {
    while (!condition()) await new Promise<void>((resolve) => this.#watchers.push(resolve));
  }

  changed(): void {
    for (const watcher of this.#watchers.splice(0)) watcher();
  }
}

async function drained(_: SnapshotMessage, chunks: AsyncIterable<Uint8Array>): Promise<void> {
  for await (const _chunk of chunks);
}

/** One node: its transport, mounted on a server of its own. */
export interface Site extends AsyncDisposable {
  readonly transport: ConnectTransport;
  readonly handler: Recorder;
  readonly server: Http2Server;
  /** Open connections to the server. */
  readonly sockets: Set<Socket>;
  readonly errors: { readonly code: string; readonly message: string; readonly peer: string | undefined }[];
  /** Ends the server, and all connections to it. */
  close(): Promise<void>;
}

/** How a site differs from the plainest. */
export interface SiteOptions {
  readonly clusterId?: string;
  readonly incarnation?: number;
  readonly clock?: Clock;
  readonly options?: ConnectTransportOptions;
  readonly secure?: SecureServerOptions;
  readonly deps?: Partial<ConnectTransportDeps>;
}

/** Where nodes are; sites write themselves down, tests may write something else. */
export type Addresses = Map<string, string>;

/** Opens a site on a free port. Its transport is not started. */
export async function openSite(nodeId: string, addresses: Addresses, site: SiteOptions = {}): Promise<Site> {
  const { clusterId = "test", incarnation = 7, clock = systemClock, options, secure, deps } = site;
  const handler = new Recorder({ nodeId, clusterId, incarnation });
  const errors: { code: string; message: string; peer: string | undefined }[] = [];
  const transport = new ConnectTransport(
    {
      addressOf: (id) => addresses.get(id),
      onError: ({ code, message }, peer) => {
        errors.push({ code, message, peer });
        handler.changed();
      },
      clock,
      random: { next: () => 0 },
      ...deps,
    },
    options,
  );
  const server: Http2Server =
    secure === undefined ? createServer(serverOptions) : createSecureServer({ ...serverOptions, ...secure });
  const sockets = new Set<Socket>();
  server.on("connection", (socket: Socket) => {
    sockets.add(socket);
    socket.once("close", () => sockets.delete(socket));
  });
  transport.mount(server);
  server.listen(0, "127.0.0.1");
  await once(server, "listening");
  addresses.set(nodeId, `http${secure === undefined ? "" : "s"}://127.0.0.1:${portOf(server)}`);
  const close = async (): Promise<void> => {
    if (!server.listening) return;
    const closed = once(server, "close");
    server.close();
    for (const socket of sockets) socket.destroy();
    await closed;
  };
  const dispose = async (): Promise<void> => {
    await transport.stop();
    await close();
  };
  return { transport, handler, server, sockets, errors, close, [Symbol.asyncDispose]: dispose };
}

/** Opens a site and starts its transport. */
export async function startSite(nodeId: string, addresses: Addresses, site: SiteOptions = {}): Promise<Site> {
  const opened = await openSite(nodeId, addresses, site);
  await opened.transport.start(opened.handler);
  return opened;
}

/** A relay of TCP in front of a server, which can stop passing anything on, as a stopped process does. */
export class Relay implements AsyncDisposable {
  readonly #server: Server;
  readonly #pairs = new Set<readonly [Socket, Socket]>();
  #frozen = false;

  private constructor(server: Server) {
    this.#server = server;
  }

  static async open(addresses: Addresses, nodeId: string): Promise<Relay> {
    const target = Number(new URL(addresses.get(nodeId)!).port);
    const server = createTcpServer();
    const relay = new Relay(server);
    server.on("connection", (near) => relay.#join(near, connect(target, "127.0.0.1")));
    server.listen(0, "127.0.0.1");
    await once(server, "listening");
    addresses.set(nodeId, `http://127.0.0.1:${portOf(server)}`);
    return relay;
  }

  freeze(): void {
    this.#frozen = true;
    for (const pair of this.#pairs) for (const socket of pair) socket.pause();
  }

  thaw(): void {
    this.#frozen = false;
    for (const pair of this.#pairs) for (const socket of pair) socket.resume();
  }

  async [Symbol.asyncDispose](): Promise<void> {
    const closed = once(this.#server, "close");
    this.#server.close();
    for (const pair of this.#pairs) for (const socket of pair) socket.destroy();
    await closed;
  }

  #join(near: Socket, far: Socket): void {
    const pair = [near, far] as const;
    this.#pairs.add(pair);
    for (const [from, to] of [
      [near, far],
      [far, near],
    ] as const) {
      from.on("data", (bytes) => {
        if (!to.write(bytes)) from.pause();
      });
      to.on("drain", () => {
        if (!this.#frozen) from.resume();
      });
      from.on("error", () => {});
      from.once("close", () => {
        this.#pairs.delete(pair);
        to.destroy();
      });
    }
  }
}

export function portOf(server: { address(): AddressInfo | string | null }): number {
  // A TCP server's address is never a pipe's.
  return (server.address() as AddressInfo).port;
}

/** A heartbeat that can be told from others. */
export function heartbeat(from: string, to: string, readSequence: number): Message {
  return { type: "heartbeat", from, to, term: 1, session: 1, commit: { index: 0, term: 0 }, readSequence };
}

/** A small message that is told from others by its number, and that no newer one takes the place of. */
export function readIndex(from: string, to: string, requestId: number): Message {
  return { type: "readIndex", from, to, term: 1, requestId };
}

/** An append of one entry. */
export function append(from: string, to: string, index: number, bytes: number): Message {
  const entry = { index, term: 1, type: "command", data: new Uint8Array(bytes), timestampMs: 0 } as const;
  const prev = { prevIndex: index - 1, prevTerm: index === 1 ? 0 : 1 };
  return { type: "append", from, to, term: 1, session: 1, ...prev, entries: [entry], commit: 0 };
}

/** The message of a snapshot of so many bytes. */
export function snapshotMessage(from: string, to: string, sizeBytes: number): SnapshotMessage {
  const conf = { voters: [from, to], learners: [], votersOutgoing: [], learnersNext: [] };
  const snapshot = { index: 9, term: 1, conf, confIndex: 1, sizeBytes, crc32: 5 };
  return { type: "snapshot", from, to, term: 1, session: 1, snapshot };
}
