import {
  constants,
  type Http2Server,
  type Http2ServerRequest,
  type Http2ServerResponse,
  type SecureClientSessionOptions,
} from "node:http2";
import { type ConnectRouter, createConnectRouter } from "@connectrpc/connect";
import type { UniversalHandler } from "@connectrpc/connect/protocol";
import { universalRequestFromNodeRequest, universalResponseToNodeResponse } from "@connectrpc/connect-node";
import {
  type Clock,
  type Message,
  type NodeId,
  RaftError,
  type Random,
  type SnapshotMessage,
  type Transport,
  type TransportHandler,
} from "@mon/raft";
import { type ConnectTransportOptions, resolveOptions } from "./options.ts";
import type { PeerDeps } from "./outgoing-exchange.ts";
import { type PeerVerifier, peerContext } from "./peer-certificate.ts";
import { PeerLink } from "./peer-link.ts";
import { RaftReceiver } from "./raft-receiver.ts";
import { ServerSessions } from "./server-sessions.ts";
import { callInstallSnapshot } from "./snapshot-call.ts";

/** What a transport works with. */
export interface ConnectTransportDeps {
  /**
   * Where a node is: `http://host:port` or `https://host:port`; undefined when nobody knows, and messages to it are lost.
   * Asked for each batch of messages; a link whose peer moved is replaced.
   */
  readonly addressOf: (nodeId: NodeId) => string | undefined;
  /** Certificate, key and authorities of connections that this node makes, where addresses are https. TLS 1.3. */
  readonly tls?: SecureClientSessionOptions;
  /** Says whether certificates are those of the nodes; without it, any from a trusted authority is. */
  readonly verifyPeer?: PeerVerifier;
  /** Told of each connection that failed or was refused, in either direction, and of messages that are too large. */
  readonly onError?: (error: RaftError, peer: NodeId | undefined) => void;
  readonly clock: Clock;
  readonly random: Random;
}

/** How it stands with the way to one peer. */
export interface LinkStatus {
  readonly nodeId: NodeId;
  /** Whether the peer has answered, and messages flow. */
  readonly isOpen: boolean;
  readonly queuedMessages: number;
  readonly queuedBytes: number;
  /** Messages that never left, since the link was made. */
  readonly lostMessages: number;
}

/** Paths of the service's calls begin with this. */
const pathPrefix = "/mon.v1.RaftService/";
/** How long a request may go on after its answer, in milliseconds. */
const requestGraceMs = 1_000;

/**
 * Both sides of `mon.v1.RaftService`: connects to peers, and serves them.
 *
 *     made ─▶ started ─▶ stopped
 *
 * Mount it before the server listens. While it is not started it refuses peers, which then try again.
 */
export class ConnectTransport implements Transport {
  readonly #options: Required<ConnectTransportOptions>;
  readonly #deps: ConnectTransportDeps;
  readonly #receiver: RaftReceiver;
  readonly #sessions: ServerSessions;
  readonly #links = new Map<NodeId, PeerLink>();
  /** Of peers that moved; they end by themselves. */
  readonly #leaving = new Set<Promise<void>>();
  readonly #snapshots = new AbortController();
  #handler: TransportHandler | undefined;
  #stopped: Promise<void> | undefined;

  /** @throws {RangeError} when an option is out of range */
  constructor(deps: ConnectTransportDeps, options: ConnectTransportOptions = {}) {
    this.#options = resolveOptions(options);
    this.#deps = deps;
    this.#receiver = new RaftReceiver({
      options: this.#options,
      clock: deps.clock,
      verifyPeer: deps.verifyPeer,
      onError: (error, peer) => deps.onError?.(error, peer),
    });
    this.#sessions = new ServerSessions(this.#options, deps.clock, deps.random);
  }

  /**
   * Serves peers on a server, made with {@link serverOptions}, and watches its connections (R31). Requests for other
   * paths are left to other listeners; without any they are answered with 404.
   */
  mount(server: Http2Server): void {
    const router = createConnectRouter();
    this.routes(router);
    const handlers = new Map(router.handlers.map((handler) => [handler.requestPath, handler]));
    this.#sessions.watch(server);
    server.on("request", (request: Http2ServerRequest, response: Http2ServerResponse) => {
      const path = request.url.split("?", 1)[0]!;
      const handler = handlers.get(path);
      if (handler !== undefined) {
        void this.#serve(handler, request, response);
        return;
      }
      if (!path.startsWith(pathPrefix) && server.listenerCount("request") > 1) return;
      response.writeHead(404);
      response.end();
    });
  }

  /**
   * Adds the service to a router of the program, which then watches connections itself. With `verifyPeer`, give
   * {@link peerContext} to Connect as `contextValues`: calls without a certificate in their context are refused.
   */
  routes(router: ConnectRouter): void {
    this.#receiver.routes(router);
  }

  /** The ways to peers, in the order in which they were first needed. */
  links(): LinkStatus[] {
    return [...this.#links].map(([nodeId, { isOpen, queuedMessages, queuedBytes, lostMessages }]) => {
      return { nodeId, isOpen, queuedMessages, queuedBytes, lostMessages };
    });
  }

  async start(handler: TransportHandler): Promise<void> {
    if (this.#stopped !== undefined) throw new RaftError("RAFT_STOPPED", "the transport is stopped");
    this.#handler = handler;
    this.#receiver.open(handler);
  }

  send(to: NodeId, messages: readonly Message[]): void {
    const handler = this.#handler;
    if (handler === undefined || this.#stopped !== undefined) return;
    const link = this.#link(to, handler);
    if (link === undefined) this.#lost(to);
    else link.send(messages);
  }

  async sendSnapshot(
    to: NodeId,
    message: SnapshotMessage,
    chunks: AsyncIterable<Uint8Array>,
    signal: AbortSignal,
  ): Promise<void> {
    const handler = this.#handler;
    if (handler === undefined) throw new RaftError("RAFT_STOPPED", "the transport is not started");
    const url = this.#deps.addressOf(to);
    if (url === undefined) throw new RaftError("RAFT_UNREACHABLE", `expected to know where ${to} is`);
    const both = AbortSignal.any([signal, this.#snapshots.signal]);
    await callInstallSnapshot(this.#peerDeps(to, url, handler), message, chunks, both);
  }

  stop(): Promise<void> {
    this.#stopped ??= this.#stop();
    return this.#stopped;
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.stop();
  }

  async #stop(): Promise<void> {
    this.#snapshots.abort(new RaftError("RAFT_STOPPED", "the transport is stopped"));
    await Promise.all([...this.#leaving, ...[...this.#links.values()].map((link) => link.stop())]);
    this.#receiver.close();
    this.#handler = undefined;
  }

  #link(to: NodeId, handler: TransportHandler): PeerLink | undefined {
    const url = this.#deps.addressOf(to);
    const known = this.#links.get(to);
    if (known !== undefined && known.url === url) return known;
    if (known !== undefined) this.#leave(to, known);
    if (url === undefined) return undefined;
    const link = new PeerLink(this.#peerDeps(to, url, handler), this.#deps.random, {
      lost: () => this.#lost(to),
      failed: (error) => this.#deps.onError?.(error, to),
    });
    this.#links.set(to, link);
    return link;
  }

  /** What the link has under way is still tried at the old address. */
  #leave(to: NodeId, link: PeerLink): void {
    this.#links.delete(to);
    const left: Promise<void> = link.stop().then(() => {
      this.#leaving.delete(left);
    });
    this.#leaving.add(left);
  }

  #peerDeps(peer: NodeId, url: string, { identity }: TransportHandler): PeerDeps {
    const { clock, tls, verifyPeer } = this.#deps;
    return { peer, url, identity, options: this.#options, tls, verifyPeer, clock };
  }

  /** Tells the node in a turn of its own: it may be in the middle of sending. */
  #lost(to: NodeId): void {
    this.#deps.clock.setImmediate(() => {
      if (this.#stopped === undefined) this.#handler?.unreachable(to);
    });
  }

  async #serve(
    handler: UniversalHandler,
    request: Http2ServerRequest,
    response: Http2ServerResponse,
  ): Promise<void> {
    const { stream } = request;
    stream.once("wantTrailers", () => this.#letGo(request));
    try {
      const call = universalRequestFromNodeRequest(request, response, undefined, peerContext(request));
      await universalResponseToNodeResponse(await handler(call), response);
    } catch {
      // No request that Connect understands, or a peer that is gone: nobody is there to be told more.
      if (!stream.closed) stream.close(constants.NGHTTP2_INTERNAL_ERROR);
    }
  }

  /**
   * Lets go of a request that goes on after its answer is complete: else its stream stays open for as long as the peer
   * likes. The peer gets time to read the answer first.
   */
  #letGo({ complete, stream }: Http2ServerRequest): void {
    if (complete) return;
    stream.removeAllListeners("data").resume();
    const timer = this.#deps.clock.setTimeout(() => stream.close(constants.NGHTTP2_NO_ERROR), requestGraceMs);
    stream.once("close", () => timer.cancel());
  }
}
