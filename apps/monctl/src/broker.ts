import { readFile } from "node:fs/promises";
import { type CallOptions, type Client, createClient } from "@connectrpc/connect";
import { createGrpcTransport } from "@connectrpc/connect-node";
import { AdminService, MonitorService, QueryService } from "@mon/proto";
import { MonctlError } from "./errors.ts";
import { BrokerSession } from "./session.ts";
import type { Settings } from "./settings.ts";
import { traceInterceptor } from "./trace.ts";

/** A connection to a broker's agent door. */
export interface Broker {
  readonly admin: Client<typeof AdminService>;
  readonly query: Client<typeof QueryService>;
  readonly monitor: Client<typeof MonitorService>;
  /** Options for a call with one answer: its deadline, and the end of the program. */
  readonly call: CallOptions;
  /** Closes the connection and whatever is open on it. */
  close(): void;
}

/** What {@link openBroker} works with. */
interface BrokerDeps {
  /** Aborts when the program is told to stop. */
  stop: AbortSignal;
  /** Takes a line of the trace of requests. */
  trace: (line: string) => void;
  /** Milliseconds of a clock. */
  now: () => number;
}

/**
 * Connects to a broker with gRPC over HTTP/2.
 *
 * @throws {MonctlError} MONCTL_UNREACHABLE when no connection stands within the timeout, MONCTL_USAGE when the file of
 *   the authority cannot be read
 */
export async function openBroker(settings: Settings, deps: BrokerDeps): Promise<Broker> {
  const ca = settings.caFile === undefined ? undefined : await readAuthority(settings.caFile);
  const session = new BrokerSession(new URL(settings.brokerUrl).origin, settings.timeoutMs, ca);
  await session.connect();
  const transport = createGrpcTransport({
    baseUrl: settings.brokerUrl,
    sessionManager: session,
    interceptors: settings.trace ? [traceInterceptor(deps.trace, deps.now)] : [],
  });
  return {
    admin: createClient(AdminService, transport),
    query: createClient(QueryService, transport),
    monitor: createClient(MonitorService, transport),
    call: { timeoutMs: settings.timeoutMs, signal: deps.stop },
    close: () => session.close(),
  };
}

async function readAuthority(file: string): Promise<Buffer> {
  return await readFile(file).catch((cause: unknown) => {
    const reason = cause instanceof Error ? cause.message : String(cause);
    throw new MonctlError("MONCTL_USAGE", `expected --ca to be a file that can be read, got ${reason}`, {
      cause,
    });
  });
}

/** More pages than this are a broker that goes in circles. */
const pagesMax = 10_000;

/**
 * Goes through all pages of a listing.
 *
 * @param fetch - fetches the page at a token, the first at ""
 * @throws {MonctlError} MONCTL_FAILURE when the broker hands out the same token again or more than 10,000 pages
 */
export async function* eachPage<Page extends { nextPageToken: string }>(
  fetch: (pageToken: string) => Promise<Page>,
): AsyncGenerator<Page> {
  let pageToken = "";
  for (let count = 0; count < pagesMax; count++) {
    const page = await fetch(pageToken);
    yield page;
    if (page.nextPageToken === "") return;
    if (page.nextPageToken === pageToken) break;
    pageToken = page.nextPageToken;
  }
  throw new MonctlError(
    "MONCTL_FAILURE",
    "expected the listing to end, got the same pages again from the broker",
  );
}

/**
 * Reads a streamed answer and fails when the broker is silent for too long. Time that the caller takes between two
 * messages does not count, so a pager may stand still.
 *
 * @throws {MonctlError} MONCTL_TIMEOUT
 */
export async function* eachMessageWithin<Message>(
  timeoutMs: number,
  open: (signal: AbortSignal) => AsyncIterable<Message>,
): AsyncGenerator<Message> {
  const silence = new AbortController();
  const timeout = new MonctlError(
    "MONCTL_TIMEOUT",
    `expected the next part of the answer within ${timeoutMs}ms, got none`,
    {
      hint: "allow more time with --timeout, or ask for less",
    },
  );
  const messages = open(silence.signal)[Symbol.asyncIterator]();
  try {
    for (;;) {
      const timer = setTimeout(() => silence.abort(timeout), timeoutMs);
      const next = await messages.next().finally(() => clearTimeout(timer));
      if (next.done) return;
      yield next.value;
    }
  } catch (error) {
    throw silence.signal.aborted ? timeout : error;
  } finally {
    silence.abort();
  }
}

/**
 * Sends a stream of messages and fails when the broker takes none, or does not answer after the last, for too long.
 *
 * @throws {MonctlError} MONCTL_TIMEOUT
 */
export async function sendWithin<Message, Answer>(
  timeoutMs: number,
  messages: AsyncIterable<Message>,
  send: (messages: AsyncIterable<Message>, signal: AbortSignal) => Promise<Answer>,
): Promise<Answer> {
  const silence = new AbortController();
  const timeout = new MonctlError(
    "MONCTL_TIMEOUT",
    `expected the broker to take the next part within ${timeoutMs}ms, it did not`,
    { hint: "allow more time with --timeout" },
  );
  let timer = setTimeout(() => silence.abort(timeout), timeoutMs);
  const restart = (): void => {
    clearTimeout(timer);
    timer = setTimeout(() => silence.abort(timeout), timeoutMs);
  };
  const watched = async function* (): AsyncGenerator<Message> {
    for await (const message of messages) {
      restart();
      yield message;
    }
    restart();
  };
  try {
    return await send(watched(), silence.signal);
  } catch (error) {
    throw silence.signal.aborted ? timeout : error;
  } finally {
    clearTimeout(timer);
    silence.abort();
  }
}

/** The most suggestions that an unknown host gets. */
const suggestionsMax = 3;

/**
 * Checks that a broker knows the named hosts; meant for answers that came back without them.
 *
 * @throws {MonctlError} MONCTL_NOT_FOUND for the first that it does not
 */
export async function assertKnownHosts(broker: Broker, hosts: Iterable<string>): Promise<void> {
  for (const prefix of hosts) {
    const { hosts: found } = await broker.query.listHosts({ prefix, pageSize: suggestionsMax }, broker.call);
    if (found.some((host) => host.hostId === prefix)) continue;
    const similar = found.map((host) => host.hostId).join(", ");
    throw new MonctlError("MONCTL_NOT_FOUND", `expected a known host, got "${prefix}"`, {
      hint: similar === "" ? "list them with: monctl hosts" : `did you mean ${similar}?`,
    });
  }
}
