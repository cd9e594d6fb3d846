import type { SecureClientSessionOptions } from "node:http2";

/** TLS material for `https:` brokers, as in `node:tls`. */
export type ClientTls = Pick<
  SecureClientSessionOptions,
  "ca" | "cert" | "key" | "passphrase" | "servername" | "minVersion"
>;

/** How a client finds brokers, how much it keeps, and how long it waits. */
export interface ClientOptions {
  /** Addresses of brokers, `http://host:port` (HTTP/2 without TLS) or `https://host:port`; tried in this order. */
  readonly brokers: readonly string[];
  /**
   * The most reports that the client keeps, waiting and under way together. When full, the oldest waiting report is
   * dropped for a new one. Default 100,000. Too small drops in a short outage; there is no cost in a large one but memory.
   */
  readonly bufferReportsMax?: number;
  /** The most bytes of encoded reports that the client keeps. Default 64 MiB: at 550 B a report, about 120,000. */
  readonly bufferBytesMax?: number;
  /**
   * The most batches without an outcome on the stream. Default 8: with batches of 1 MiB, the 8 MiB that a broker takes
   * from one connection. 1 waits a round trip and a flush after each batch.
   */
  readonly windowBatches?: number;
  /** The most reports in a batch. Default 100; more saves little and makes one outcome decide over more. */
  readonly batchReportsMax?: number;
  /** The most samples in a batch. Default 10,000, what a broker takes by default; it rejects a batch with more. */
  readonly batchSamplesMax?: number;
  /** Bytes after which a batch takes no further report. Default 1 MiB. */
  readonly batchBytesMax?: number;
  /**
   * The largest message that a broker takes, in bytes; a report that does not fit in one by itself is dropped as
   * `too-large`. Default 4 MiB.
   */
  readonly messageBytesMax?: number;
  /**
   * How long the first report of a batch waits for company, in milliseconds. Default 0: send at once, and what comes
   * while the window is full makes the next batch. More trades freshness for fewer, larger batches.
   */
  readonly lingerMs?: number;
  /** How long a broker may take until it speaks HTTP/2, in milliseconds. Default 5,000. */
  readonly connectTimeoutMs?: number;
  /** How long batches may be under way without any outcome until the stream is replaced, in milliseconds. Default 30,000. */
  readonly ackTimeoutMs?: number;
  /** How often the connection is probed by an HTTP/2 ping, in milliseconds. Default 20,000; brokers mind less than 10,000. */
  readonly pingIntervalMs?: number;
  /** How long a ping may go unanswered, in milliseconds. Default 10,000. */
  readonly pingTimeoutMs?: number;
  /** Upper bound of the first wait before a reconnect, in milliseconds. Default 100. */
  readonly backoffMsMin?: number;
  /** Upper bound of any wait before a reconnect, in milliseconds. Default 30,000. */
  readonly backoffMsMax?: number;
  /** How long `stop` waits for outcomes, in milliseconds. Default 5,000. What is left then is dropped. */
  readonly stopTimeoutMs?: number;
  /** Headers of every call, for example `authorization`. Default none. */
  readonly headers?: Readonly<Record<string, string>>;
  /** TLS material for `https:` brokers. Default: the system's roots. */
  readonly tls?: ClientTls;
}

/** {@link ClientOptions} with every default filled in. */
export type ResolvedOptions = Required<ClientOptions>;

/** The defaults of {@link ClientOptions}; `brokers` has none. */
export const defaults: Omit<ResolvedOptions, "brokers"> = Object.freeze({
  bufferReportsMax: 100_000,
  bufferBytesMax: 64 * 1024 * 1024,
  windowBatches: 8,
  batchReportsMax: 100,
  batchSamplesMax: 10_000,
  batchBytesMax: 1024 * 1024,
  messageBytesMax: 4 * 1024 * 1024,
  lingerMs: 0,
  connectTimeoutMs: 5_000,
  ackTimeoutMs: 30_000,
  pingIntervalMs: 20_000,
  pingTimeoutMs: 10_000,
  backoffMsMin: 100,
  backoffMsMax: 30_000,
  stopTimeoutMs: 5_000,
  headers: Object.freeze({}),
  tls: Object.freeze({}),
});

/** The longest timer that Node keeps; a longer one would fire at once. */
const timerMsMax = 0x7fffffff;

const ranges: Readonly<Record<string, readonly [min: number, max: number]>> = {
  bufferReportsMax: [1, 10_000_000],
  bufferBytesMax: [1, Number.MAX_SAFE_INTEGER],
  windowBatches: [1, 1_000],
  batchReportsMax: [1, 1_000_000],
  batchSamplesMax: [1, 1_000_000],
  batchBytesMax: [1, 0x7fffffff],
  messageBytesMax: [1_024, 0x7fffffff],
  lingerMs: [0, timerMsMax],
  connectTimeoutMs: [1, timerMsMax],
  ackTimeoutMs: [1, timerMsMax],
  pingIntervalMs: [1, timerMsMax],
  pingTimeoutMs: [1, timerMsMax],
  backoffMsMin: [1, timerMsMax],
  backoffMsMax: [1, timerMsMax],
  stopTimeoutMs: [0, timerMsMax],
};

/**
 * Fills in defaults and checks every field.
 *
 * @throws {RangeError} that names the field, what it may be and what came
 */
export function resolveOptions(options: ClientOptions): ResolvedOptions {
  const given = Object.fromEntries(Object.entries(options).filter(([, value]) => value !== undefined));
  for (const name of Object.keys(given)) {
    if (name !== "brokers" && !(name in defaults)) throw new RangeError(`unknown option ${name}`);
  }
  const resolved: ResolvedOptions = { ...defaults, ...given, brokers: resolveBrokers(options.brokers) };
  for (const [name, [min, max]] of Object.entries(ranges)) {
    const value = resolved[name as keyof ResolvedOptions];
    if (typeof value !== "number" || !Number.isInteger(value) || value < min || value > max) {
      throw new RangeError(`expected ${name} to be an integer from ${min} to ${max}, got ${String(value)}`);
    }
  }
  if (resolved.backoffMsMax < resolved.backoffMsMin) {
    throw new RangeError(
      `expected backoffMsMax to be at least backoffMsMin (${resolved.backoffMsMin}), got ${resolved.backoffMsMax}`,
    );
  }
  return Object.freeze(resolved);
}

function resolveBrokers(brokers: unknown): readonly string[] {
  if (!Array.isArray(brokers) || brokers.length === 0) {
    throw new RangeError("expected brokers to name at least one address");
  }
  return Object.freeze(brokers.map((address, index) => resolveBroker(address, index)));
}

function resolveBroker(address: unknown, index: number): string {
  const url = typeof address === "string" && URL.canParse(address) ? new URL(address) : undefined;
  const isOrigin = url?.pathname === "/" && url.search === "" && url.hash === "" && url.username === "";
  if (url === undefined || !isOrigin || (url.protocol !== "http:" && url.protocol !== "https:")) {
    throw new RangeError(
      `expected brokers[${index}] to be http://host:port or https://host:port, got ${String(address)}`,
    );
  }
  return url.origin;
}
