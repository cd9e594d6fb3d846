import type { IncomingMessage, ServerResponse } from "node:http";
import type { Http2ServerRequest, Http2ServerResponse, Http2Session } from "node:http2";
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
import { connectionKey } from "./connection.ts";
import { MessageProgress } from "./message-progress.ts";

/** How a door serves calls. */
export interface RpcOptions {
  /** Services whose messages are decoded as they are. */
  readonly routes: (router: ConnectRouter) => void;
  /** Calls in a binary format that are decoded as their wire twins instead. */
  readonly twinRoutes: (router: ConnectRouter) => void;
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
    const isJson = (request.headers["content-type"] ?? "").includes("json");
    const handler = (isJson ? undefined : this.#twins.get(path)) ?? this.#handlers.get(path)!;
    const progress = new MessageProgress(() => performance.now());
    const connection = { budget: this.#budget(request), messageArrived: () => progress.messageArrived() };
    this.#calls.set(progress, response);
    response.once("close", () => this.#calls.delete(progress));
    try {
      const values = createContextValues().set(connectionKey, connection);
      const call = universalRequestFromNodeRequest(request, response, undefined, values);
      const watched = { ...call, body: progress.watch(call.body as AsyncIterable<Uint8Array>) };
      await universalResponseToNodeResponse(await handler(watched), response);
    } catch (error) {
      this.#failed(path, error);
    }
  }

  #budget(request: NodeRequest): ByteBudget {
    const connection: Http2Session | object = "stream" in request ? request.stream.session! : request.socket;
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

function handlersByPath(options: RpcOptions, routes: (router: ConnectRouter) => void) {
  const router = createConnectRouter({
    acceptCompression: [compressionGzip],
    readMaxBytes: options.messageBytesMax,
    writeMaxBytes: answerBytesMax,
    maxTimeoutMs: timeoutMsMax,
    shutdownSignal: options.closed,
    jsonOptions: { ignoreUnknownFields: false },
    binaryOptions: { readUnknownFields: false },
    interceptors: [
      (next) => async (request) => {
        if (!request.stream) request.contextValues.get(connectionKey).messageArrived();
        try {
          const response = await next(request);
          if (!response.stream) return response;
          return { ...response, message: countingErrors(options, request.method.name, response.message) };
        } catch (error) {
          throw counted(options, request.method.name, error);
        }
      },
    ],
  });
  routes(router);
  return new Map(router.handlers.map((handler) => [handler.requestPath, handler]));
}

/** Passes messages on, and treats an error as {@link counted} does. */
async function* countingErrors<T>(
  options: RpcOptions,
  method: string,
  messages: AsyncIterable<T>,
): AsyncGenerator<T> {
  try {
    yield* messages;
  } catch (error) {
    throw counted(options, method, error);
  }
}

/** Counts an error that a caller gets, and hides from the caller what is not meant for it. */
function counted({ telemetry, logger }: RpcOptions, method: string, error: unknown): ConnectError {
  const known = ConnectError.from(error, Code.Internal);
  telemetry.countCallError(Code[known.code].toLowerCase());
  if (error instanceof ConnectError) return known;
  logger.error({ method, err: error }, "a call failed unexpectedly");
  return new ConnectError("internal error", Code.Internal);
}
