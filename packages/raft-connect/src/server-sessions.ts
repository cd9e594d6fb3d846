import type { Http2Server, ServerHttp2Session, ServerHttp2Stream, ServerOptions } from "node:http2";
import type { Socket } from "node:net";
import type { Clock, Random, Timer } from "@mon/raft";
import type { ConnectTransportOptions } from "./options.ts";
import { keepPinging } from "./ping.ts";

const MiB = 1024 * 1024;

/** Bytes that a peer may send ahead of the reader on one connection: a batch that is read, and one that comes. */
const sessionWindowBytes = 4 * MiB;

/**
 * What to make an HTTP/2 server with that serves peers. Node's own windows hold 64 KiB, one round trip each: too little
 * for a follower that catches up over a line with any delay. {@link ConnectTransport.mount} sets the window of the whole
 * connection, which no option does.
 */
export const serverOptions: Readonly<ServerOptions> = Object.freeze({
  settings: Object.freeze({
    enablePush: false,
    initialWindowSize: 2 * MiB,
    maxConcurrentStreams: 16,
    maxHeaderListSize: 16_384,
  }),
  maxHeaderListPairs: 64,
  maxSessionInvalidFrames: 100,
  maxSessionRejectedStreams: 50,
  maxOutstandingPings: 10,
  // In MB: the window, and what nghttp2 needs beside it.
  maxSessionMemory: 16,
  unknownProtocolTimeout: 5_000,
});

/** Watches the sessions of an HTTP/2 server: sizes their windows, and ends those that are silent, idle or old (R31). */
export class ServerSessions {
  readonly #options: Required<ConnectTransportOptions>;
  readonly #clock: Clock;
  readonly #random: Random;
  readonly #sockets = new Map<string, Socket>();

  constructor(options: Required<ConnectTransportOptions>, clock: Clock, random: Random) {
    this.#options = options;
    this.#clock = clock;
    this.#random = random;
  }

  watch(server: Http2Server): void {
    server.on("connection", (socket: Socket) => {
      const end = remoteEnd(socket);
      this.#sockets.set(end, socket);
      socket.once("close", () => this.#sockets.delete(end));
    });
    server.on("session", (session) => this.#watch(session));
    // Errors of sessions are those of remote ends: they end the session, and nothing else.
    server.on("sessionError", () => {});
  }

  #watch(session: ServerHttp2Session): void {
    const { sessionAgeMs } = this.#options;
    const socket = this.#sockets.get(remoteEnd(session.socket));
    session.setLocalWindowSize(sessionWindowBytes);
    keepPinging(session, this.#options, this.#clock);
    const spreadMs = sessionAgeMs * (0.9 + 0.2 * this.#random.next());
    let age: Timer = this.#clock.setTimeout(() => {
      age = this.#askToGo(session, socket);
    }, spreadMs);
    let idle = this.#idleTimer(session, socket);
    let streams = 0;
    session.on("stream", (stream: ServerHttp2Stream) => {
      streams++;
      idle.cancel();
      // Errors end their stream; the call learns of it by its requests.
      stream.on("error", () => {});
      stream.once("close", () => {
        streams--;
        if (streams === 0 && !session.destroyed) idle = this.#idleTimer(session, socket);
      });
    });
    session.once("close", () => {
      age.cancel();
      idle.cancel();
    });
  }

  #idleTimer(session: ServerHttp2Session, socket: Socket | undefined): Timer {
    let timer: Timer = this.#clock.setTimeout(() => {
      timer = this.#askToGo(session, socket);
    }, this.#options.sessionIdleMs);
    return { cancel: () => timer.cancel() };
  }

  /**
   * Sends GOAWAY; the session ends with its streams, or after the grace. A session that ended in good order waits for
   * the peer to let go of the socket, which some never do, so it is the socket that is destroyed.
   */
  #askToGo(session: ServerHttp2Session, socket: Socket | undefined): Timer {
    session.close();
    return this.#clock.setTimeout(() => {
      session.destroy();
      socket?.destroy();
    }, this.#options.sessionAgeGraceMs);
  }
}

/** What tells a connection from all others that are open. */
function remoteEnd({ remoteAddress, remotePort }: Pick<Socket, "remoteAddress" | "remotePort">): string {
  return `${remoteAddress} ${remotePort}`;
}
