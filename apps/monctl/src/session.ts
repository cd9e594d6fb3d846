import {
  type ClientHttp2Session,
  type ClientHttp2Stream,
  type ClientSessionRequestOptions,
  connect,
  type OutgoingHttpHeaders,
} from "node:http2";
import type { GrpcTransportOptions } from "@connectrpc/connect-node";
import { MonctlError } from "./errors.ts";

/** A silent broker is noticed after both (R31). */
const pingIntervalMs = 20_000;
const pingTimeoutMs = 10_000;

type SessionManager = NonNullable<GrpcTransportOptions["sessionManager"]>;

/**
 * The one HTTP/2 connection of the program. It counts as open once the other side has sent its settings, so that
 * something that accepts connections but speaks another protocol is told apart from a broker. A connection that was
 * lost is opened again at the next request; concurrent requests share the attempt.
 */
export class BrokerSession implements SessionManager {
  readonly authority: string;
  readonly #timeoutMs: number;
  readonly #ca: Buffer | undefined;
  #opening: Promise<ClientHttp2Session> | undefined;

  /**
   * @param authority - `http://host:port` or `https://host:port`
   * @param timeoutMs - bound of opening the connection
   * @param ca - certificates, in PEM, of who may have signed the broker's; undefined for whom the system trusts
   */
  constructor(authority: string, timeoutMs: number, ca: Buffer | undefined) {
    this.authority = authority;
    this.#timeoutMs = timeoutMs;
    this.#ca = ca;
  }

  /**
   * Opens the connection unless it is open.
   *
   * @throws {MonctlError} MONCTL_UNREACHABLE
   */
  async connect(): Promise<void> {
    await this.#session();
  }

  async request(
    method: string,
    path: string,
    headers: OutgoingHttpHeaders,
    options: Omit<ClientSessionRequestOptions, "signal">,
  ): Promise<ClientHttp2Stream> {
    const session = await this.#session();
    return session.request({ ...headers, ":method": method, ":path": path }, options);
  }

  /** Nothing to do: pings go out at their interval whatever is read. */
  notifyResponseByteRead(): void {}

  /** Closes the connection and what is open on it. Safe to call twice. */
  close(): void {
    this.#opening?.then(
      (session) => session.destroy(),
      () => {}, // It never stood; whoever asked for it has the error.
    );
    this.#opening = undefined;
  }

  async #session(): Promise<ClientHttp2Session> {
    const known = await this.#opening;
    if (known !== undefined && !known.closed && !known.destroyed) return known;
    const opening = openSession(this.authority, this.#timeoutMs, this.#ca);
    this.#opening = opening;
    opening.catch(() => {
      if (this.#opening === opening) this.#opening = undefined;
    });
    return await opening;
  }
}

function openSession(
  authority: string,
  timeoutMs: number,
  ca: Buffer | undefined,
): Promise<ClientHttp2Session> {
  return new Promise((resolve, reject) => {
    const session = connect(authority, ca === undefined ? {} : { ca });
    const fail = (why: string, cause?: unknown): void => {
      session.destroy();
      reject(
        new MonctlError("MONCTL_UNREACHABLE", `cannot reach the broker at ${authority}: ${why}`, {
          hint: hintFor(cause),
          cause,
        }),
      );
    };
    const timer = setTimeout(() => fail(`no HTTP/2 connection within ${timeoutMs}ms`), timeoutMs);
    const pings = setInterval(() => ping(session), pingIntervalMs);
    // Node may report an error more than once, and one without a listener would end the process.
    session.on("error", (error) => fail(describe(error), error));
    session.once("close", () => {
      clearTimeout(timer);
      clearInterval(pings);
      fail("the connection was closed");
    });
    session.once("remoteSettings", () => {
      clearTimeout(timer);
      resolve(session);
    });
  });
}

function ping(session: ClientHttp2Session): void {
  const timer = setTimeout(() => session.destroy(), pingTimeoutMs);
  const sent = session.ping(() => clearTimeout(timer));
  if (!sent) clearTimeout(timer);
}

/** What OpenSSL calls a certificate whose signer is not trusted. */
const untrusted: ReadonlySet<unknown> = new Set([
  "DEPTH_ZERO_SELF_SIGNED_CERT",
  "SELF_SIGNED_CERT_IN_CHAIN",
  "UNABLE_TO_GET_ISSUER_CERT",
  "UNABLE_TO_GET_ISSUER_CERT_LOCALLY",
  "UNABLE_TO_VERIFY_LEAF_SIGNATURE",
  "CERT_SIGNATURE_FAILURE",
]);

function hintFor(cause: unknown): string {
  if (cause instanceof Error && "code" in cause && untrusted.has(cause.code))
    return "name the authority that signed its certificate with --ca or MON_CA";
  return "is it running, is this its agent door (7400), and does it want https://? Choose with --broker or MON_BROKER";
}

function describe(error: Error & { code?: string; reason?: string }): string {
  if (error.code === "ERR_HTTP2_ERROR") return "what listens there does not speak HTTP/2";
  // TLS errors carry their cause in `reason`; the error of a name with several addresses has only a code.
  return error.reason ?? (error.message.trim() || (error.code ?? "unknown error"));
}
