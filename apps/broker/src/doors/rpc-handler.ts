import type { IncomingMessage, ServerResponse } from "node:http";
import { constants, type Http2ServerRequest, type Http2ServerResponse, type Http2Session } from "node:http2";
import {
  Code,
  ConnectError,
  type ConnectRouter,
  createConnectRouter,
  createContextValues,
} from "@connectrpc/connect";
import {
  compressionGzip,
  universalRequestFromNodeRequest,
  universalResponseToNodeResponse,
} from "@connectrpc/connect-node";
import { ByteBudget } from "@mon/intake";
import type { Logger } from "../logger.ts";
import type { Telemetry } from "../observe/telemetry.ts";
import { type Connection, connectionKey } from "./connection.ts";
import { MessageProgress } from "./message-progress.ts";

/** How a door serves calls. */
export interface RpcOptions {
  /** Services whose messages are decoded as they are. */
  readonly routes: (router: ConnectRouter) => void;
  /** Calls in a binary format that are decoded as their wire twins instead. */
  readonly twinRoutes: (router: ConnectRouter) => void;
  /** Takes calls that need not go through Connect. @returns undefined for one that does */
  readonly shortCut?: (
    path: string,
    request: Http2ServerRequest,
    response: Http2ServerResponse,
    connection: Connection,
    progress: MessageProgress,
  ) => Promise<void> | undefined;
  /** The largest message, in bytes after decompression. */
  readonly messageBytesMax: number;
  /** Bytes of one connection that may be under way. */
  readonly connectionBytesMax: number;
  /** Aborted when what still runs must end. */
  readonly closed: AbortSignal;
  readonly telemetry: Telemetry;
  readonly logger: Logger;
}

/** How often calls are looked at for messages that do not come to an end, in milliseconds. */
const sweepIntervalMs = 5_000;
/** How long a request may go on after its answer, in milliseconds. */
const requestGraceMs = 1_000;
/** The largest answer, in bytes. */
const answerBytesMax = 67_108_864;
/** The longest timeout that a caller may ask for: a day, for streams. */
const timeoutMsMax = 86_400_000;

type NodeRequest = IncomingMessage | Http2ServerRequest;
type NodeResponse = ServerResponse | Http2ServerResponse;

/** Serves gRPC, gRPC-web and Connect calls to a Node server of either HTTP version. */
export class RpcHandler {
  readonly #options: RpcOptions;
  readonly #handlers: ReturnType<typeof handlersByPath>;
  readonly #twins: ReturnType<typeof handlersByPath>;
  readonly #budgets = new WeakMap<object, ByteBudget>();
  readonly #calls = new Map<MessageProgress, NodeResponse>();
  #sweep: NodeJS.Timeout | undefined;

  constructor(options: RpcOptions) {
    this.#options = options;
    this.#handlers = handlersByPath(options, options.routes);
    this.#twins = handlersByPath(options, options.twinRoutes);
  }

  start(): void {
    this.#sweep = setInterval(() => this.#endStalled(), sweepIntervalMs).unref();
  }

  stop(): void {
    clearInterval(this.#sweep);
  }

  /** Whether a path is that of a call. */
  serves(path: string): boolean {
    return this.#handlers.has(path);
  }

  /** Answers a call. Never rejects: what goes wrong is the caller's answer, or the log's. */
  async handle(request: NodeRequest, response: NodeResponse): Promise<void> {
    const path = (request.url ?? "").split("?", 1)[0]!;
    const progress = new MessageProgress(() => performance.now());
    const connection = { budget: this.#budget(request), messageArrived: () => progress.messageArrived() };
    this.#calls.set(progress, response);
    response.once("close", () => this.#calls.delete(progress));
    if ("stream" in request) request.stream.once("wantTrailers", () => endRequest(request));
    const isJson = (request.headers["content-type"] ?? "").includes("json");
    const handler = (isJson ? undefined : this.#twins.get(path)) ?? this.#handlers.get(path)!;
    try {
      if ("stream" in request && "stream" in response) {
        const taken = this.#options.shortCut?.(path, request, response, connection, progress);
        if (taken !== undefined) {
          await taken.catch((error: unknown) => hidden(this.#options, path, error));
          return;
        }
      }
      const values = createContextValues().set(connectionKey, connection);
      const call = universalRequestFromNodeRequest(request, response, undefined, values);
      const watched = { ...call, body: progress.watch(call.body as AsyncIterable<Uint8Array>) };
      await universalResponseToNodeResponse(await handler(watched), response);
    } catch (error) {
      this.#failed(path, error);
    }
  }

  #budget(request: NodeRequest): ByteBudget {
    // A stream whose session is gone already has none.
    const connection: Http2Session | object =
      "stream" in request ? (request.stream.session ?? request.stream) : request.socket;
    let budget = this.#budgets.get(connection);
    if (budget === undefined) {
      budget = new ByteBudget(this.#options.connectionBytesMax);
      this.#budgets.set(connection, budget);
    }
    return budget;
  }

  #failed(path: string, error: unknown): void {
    const { code, message } = ConnectError.from(error);
    // Callers that go away are no news.
    if (code === Code.Aborted || code === Code.Canceled) return;
    this.#options.logger.debug({ path, code: Code[code], message }, "call failed");
  }

  #endStalled(): void {
    for (const [progress, response] of this.#calls) if (progress.isStalled) response.destroy();
  }
}

/**
 * Lets go of a request that goes on after its answer is complete: else its stream stays open for as long as the caller
 * likes. The caller gets time to read the answer first, as some take a stream that is reset for one that failed; what
 * comes meanwhile is thrown away, as bytes that nobody reads use up the memory that a connection is given.
 *
 * @see RFC 9113, §8.1
 */
function endRequest({ complete, stream }: Http2ServerRequest): void {
  if (complete) return;
  stream.removeAllListeners("data").resume();
  const timer = setTimeout(() => stream.close(constants.NGHTTP2_NO_ERROR), requestGraceMs);
  stream.once("close", () => clearTimeout(timer));
}

function handlersByPath(options: RpcOptions, routes: (router: ConnectRouter) => void) {
  const router = createConnectRouter({
    acceptCompression: [compressionGzip],
    readMaxBytes: options.messageBytesMax,
    writeMaxBytes: answerBytesMax,
    maxTimeoutMs: timeoutMsMax,
    shutdownSignal: options.closed,
    jsonOptions: { ignoreUnknownFields: false },
    binaryOptions: { readUnknownFields: false },
    requestGate: (context) =>
      context.signal.addEventListener("abort", () => ended(options, context.signal.reason), { once: true }),
    interceptors: [
      (next) => async (request) => {
        const { messageArrived } = request.contextValues.get(connectionKey);
        if (!request.stream) messageArrived();
        try {
          const response = await next(
            request.stream ? { ...request, message: noting(request.message, messageArrived) } : request,
          );
          if (!response.stream) return response;
          return { ...response, message: hidingErrors(options, request.method.name, response.message) };
        } catch (error) {
          throw hidden(options, request.method.name, error);
        }
      },
    ],
  });
  routes(router);
  return new Map(router.handlers.map((handler) => [handler.requestPath, handler]));
}

/**
 * Takes note of how a call ended. Connect aborts its signal with the error that it is about to send, if any, wherever
 * that came up: interceptors never see what is wrong with the bytes of a unary call.
 */
function ended({ telemetry }: RpcOptions, reason: unknown): void {
  if (!(reason instanceof ConnectError)) return;
  // Connect blames itself for bytes that are no message. They are the caller's, and will never pass.
  if (reason.code === Code.Internal && /^(parse binary:|decompression failed$)/.test(reason.rawMessage))
    Object.assign(reason, { code: Code.InvalidArgument });
  countCallError(telemetry, reason);
}

/** Counts a call that ended with an error, by the name of its code. */
export function countCallError(telemetry: Telemetry, { code }: ConnectError): void {
  telemetry.countCallError(Code[code].replace(/(?<=[a-z])[A-Z]/g, "_$&").toLowerCase());
}

/** Passes messages on, and tells of each. */
async function* noting<T>(messages: AsyncIterable<T>, arrived: () => void): AsyncGenerator<T> {
  for await (const message of messages) {
    arrived();
    yield message;
  }
}

/** Passes messages on, and treats an error as {@link hidden} does. */
async function* hidingErrors<T>(
  options: RpcOptions,
  method: string,
  messages: AsyncIterable<T>,
): AsyncGenerator<T> {
  try {
    yield* messages;
  } catch (error) {
    throw hidden(options, method, error);
  }
}

/** Hides from a caller what is not meant for it. */
function hidden({ logger }: RpcOptions, method: string, error: unknown): ConnectError {
  if (error instanceof ConnectError) return error;
  logger.error({ method, err: error }, "a call failed unexpectedly");
  return new ConnectError("internal error", Code.Internal);
}
