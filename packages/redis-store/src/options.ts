import type { ServerAddress } from "./wire/link.ts";
import type { TlsOptions } from "./wire/tls-options.ts";

/**
 * Which servers, and how to talk to them. Exactly one of `url`, `sentinels` and `cluster` says what kind of deployment it
 * is; that is checked against the servers themselves.
 */
export interface ServersOptions {
  /** One server: `redis://user:password@host:6379/0`; `rediss://` encrypts. User and password percent-encoded. */
  readonly url?: string;
  /** Sentinels that know where the primary is: `host:26379`; several, for any may be gone. Needs `masterName`. */
  readonly sentinels?: readonly string[];
  /** The name that the sentinels know the primary by. */
  readonly masterName?: string;
  /** Nodes of a cluster: `host:6379`; several, for any may be gone. The others are found through them. */
  readonly cluster?: readonly string[];
  /** The user of an ACL; without one the password is the server's own (`requirepass`). Not beside one in `url`. */
  readonly username?: string;
  readonly password?: string;
  /** The same for sentinels, which have users and passwords of their own; none by default. */
  readonly sentinelUsername?: string;
  readonly sentinelPassword?: string;
  /** The numbered database, 0; a cluster has no other. Not beside one in `url`. */
  readonly database?: number;
  /** Encrypts, to sentinels as well: `true`, or certificates as Node's `tls` takes them. */
  readonly tls?: boolean | TlsOptions;
  /** Shown by CLIENT LIST, `mon`; without spaces. */
  readonly name?: string;
  /**
   * Connections to each server for writes, 1; reads have as many of their own. Slots are spread over them. One carries more
   * than a server can do; more help only where one socket is slow, such as over TLS to many cores.
   */
  readonly connectionsPerNode?: number;
  /** How long connecting and logging in may take, 5,000 ms. */
  readonly connectTimeoutMs?: number;
  /**
   * How long a server may say nothing while something waits for its answer, 5,000 ms; the connection is cut then, and what was under way is in doubt. Below
   * the time of a slow fsync or fork it cuts healthy servers; high values hold writers up when a server hangs.
   */
  readonly commandTimeoutMs?: number;
  /** How long WAIT may wait for replicas, 1,000 ms; less than `commandTimeoutMs`. */
  readonly waitTimeoutMs?: number;
  /** Bytes of commands sent to one server and not answered, 32 MiB; what would exceed it is refused, retryably. */
  readonly inFlightBytesMax?: number;
  /** Bytes of one bulk string of a reply, 64 MiB. */
  readonly bulkBytesMax?: number;
  /** The first wait before a connection is opened again, 50 ms; it doubles, and is varied by half at random. */
  readonly reconnectDelayMsMin?: number;
  /** The longest such wait, 2,000 ms. */
  readonly reconnectDelayMsMax?: number;
  /** Failures in a row that open a server's breaker, 5. */
  readonly breakerFailures?: number;
  /** How long a breaker stays open before it lets one attempt through, 1,000 ms. */
  readonly breakerOpenMs?: number;
  /** How often MOVED, ASK and TRYAGAIN are followed for one batch, 8. */
  readonly redirectionsMax?: number;
  /** How often topology and facts are looked at without any occasion, 30,000 ms. */
  readonly refreshIntervalMs?: number;
}

/** The kind of deployment and where to begin. */
export type Endpoint =
  | { readonly deployment: "standalone"; readonly address: ServerAddress }
  | {
      readonly deployment: "sentinel";
      readonly sentinels: readonly ServerAddress[];
      readonly masterName: string;
    }
  | { readonly deployment: "cluster"; readonly nodes: readonly ServerAddress[] };

type Numbers = {
  -readonly [K in keyof ServersOptions as NonNullable<ServersOptions[K]> extends number
    ? K
    : never]-?: number;
};

/** Options with defaults filled in and addresses read. */
export interface ResolvedServersOptions extends Readonly<Numbers> {
  readonly endpoint: Endpoint;
  readonly username: string | undefined;
  readonly password: string | undefined;
  readonly sentinelUsername: string | undefined;
  readonly sentinelPassword: string | undefined;
  readonly tls: TlsOptions | undefined;
  readonly name: string;
}

const MiB = 1024 * 1024;

/** What holds where an option is not given. */
export const serversDefaults: Readonly<Numbers & { name: string }> = Object.freeze({
  database: 0,
  name: "mon",
  connectionsPerNode: 1,
  connectTimeoutMs: 5000,
  commandTimeoutMs: 5000,
  waitTimeoutMs: 1000,
  inFlightBytesMax: 32 * MiB,
  bulkBytesMax: 64 * MiB,
  reconnectDelayMsMin: 50,
  reconnectDelayMsMax: 2000,
  breakerFailures: 5,
  breakerOpenMs: 1000,
  redirectionsMax: 8,
  refreshIntervalMs: 30_000,
});

const ranges: Readonly<Record<keyof Numbers, readonly [min: number, max: number]>> = {
  database: [0, 1_000_000],
  connectionsPerNode: [1, 64],
  connectTimeoutMs: [1, 600_000],
  commandTimeoutMs: [1, 600_000],
  waitTimeoutMs: [1, 600_000],
  inFlightBytesMax: [1024, 1024 * MiB],
  bulkBytesMax: [1024, 512 * MiB],
  reconnectDelayMsMin: [1, 60_000],
  reconnectDelayMsMax: [1, 600_000],
  breakerFailures: [1, 1000],
  breakerOpenMs: [1, 600_000],
  redirectionsMax: [0, 64],
  refreshIntervalMs: [10, 86_400_000],
};

/**
 * Fills in defaults and reads addresses.
 *
 * @throws {RangeError} naming the number that is out of range, with the value it got
 * @throws {TypeError} naming what is missing, doubled or no address; passwords are not repeated
 */
export function resolveServersOptions(options: ServersOptions): ResolvedServersOptions {
  const fromUrl = options.url === undefined ? undefined : urlParts(options.url);
  if (fromUrl !== undefined) assertNotTwice(options, fromUrl);
  const numbers: Numbers & { name: string } = { ...serversDefaults };
  for (const [name, [min, max]] of Object.entries(ranges) as [keyof Numbers, [number, number]][]) {
    const value = options[name] ?? (name === "database" ? fromUrl?.database : undefined) ?? numbers[name];
    if (!Number.isInteger(value) || value < min || value > max)
      throw new RangeError(`expected ${name} to be an integer from ${min} to ${max}, got ${value}`);
    numbers[name] = value;
  }
  if (numbers.waitTimeoutMs >= numbers.commandTimeoutMs)
    throw new RangeError(
      `expected waitTimeoutMs to be less than commandTimeoutMs, got ${numbers.waitTimeoutMs} and ${numbers.commandTimeoutMs}`,
    );
  const name = options.name ?? numbers.name;
  if (!/^[!-~]+$/.test(name))
    throw new TypeError(`expected name to be printable ASCII without spaces, got ${JSON.stringify(name)}`);
  const endpoint = endpointOf(options, fromUrl?.address);
  if (endpoint.deployment === "cluster" && numbers.database !== 0)
    throw new RangeError(`expected database 0, the only one of a cluster, got ${numbers.database}`);
  const tls = options.tls === true || fromUrl?.isEncrypted ? (options.tls ?? {}) : options.tls;
  return {
    ...numbers,
    name,
    endpoint,
    username: options.username ?? fromUrl?.username,
    password: options.password ?? fromUrl?.password,
    sentinelUsername: options.sentinelUsername,
    sentinelPassword: options.sentinelPassword,
    tls: tls === true ? {} : tls === false ? undefined : tls,
  };
}

interface UrlParts {
  readonly address: ServerAddress;
  readonly isEncrypted: boolean;
  readonly username: string | undefined;
  readonly password: string | undefined;
  readonly database: number | undefined;
}

function urlParts(text: string): UrlParts {
  if (!URL.canParse(text)) throw new TypeError("expected url to be redis://host:port, got no URL");
  const url = new URL(text);
  const { protocol, hostname, pathname, search, hash } = url;
  if (protocol !== "redis:" && protocol !== "rediss:")
    throw new TypeError(`expected url to begin with redis:// or rediss://, got ${protocol}//`);
  if (hostname === "") throw new TypeError("expected url to name a host");
  if (search !== "" || hash !== "") throw new TypeError(`expected url without ? and #, got ${search}${hash}`);
  const database = /^\/?(\d{0,7})$/.exec(pathname)?.[1];
  if (database === undefined)
    throw new TypeError(`expected url to end in the number of a database, got ${pathname}`);
  return {
    address: { host: unbracketed(hostname), port: url.port === "" ? 6379 : Number(url.port) },
    isEncrypted: protocol === "rediss:",
    username: url.username === "" ? undefined : decodeURIComponent(url.username),
    password: url.password === "" ? undefined : decodeURIComponent(url.password),
    database: database === "" ? undefined : Number(database),
  };
}

function assertNotTwice(options: ServersOptions, fromUrl: UrlParts): void {
  for (const name of ["username", "password", "database"] as const) {
    if (options[name] !== undefined && fromUrl[name] !== undefined)
      throw new TypeError(`expected ${name} in url or beside it, got both`);
  }
  if (options.tls === false && fromUrl.isEncrypted)
    throw new TypeError("expected tls not to be false beside rediss://");
}

function endpointOf(options: ServersOptions, address: ServerAddress | undefined): Endpoint {
  const { sentinels, cluster, masterName } = options;
  const given = ["url", "sentinels", "cluster"].filter((name) => options[name as "url"] !== undefined);
  if (given.length !== 1)
    throw new TypeError(`expected one of url, sentinels and cluster, got ${given.join(" and ") || "none"}`);
  if ((sentinels === undefined) !== (masterName === undefined))
    throw new TypeError("expected sentinels and masterName together, got only one of them");
  if (address !== undefined) return { deployment: "standalone", address };
  if (sentinels !== undefined && masterName !== undefined)
    return { deployment: "sentinel", sentinels: addressesOf("sentinels", sentinels, 26_379), masterName };
  return { deployment: "cluster", nodes: addressesOf("cluster", cluster ?? [], 6379) };
}

function addressesOf(name: string, texts: readonly string[], defaultPort: number): ServerAddress[] {
  if (texts.length === 0) throw new TypeError(`expected ${name} to name at least one host:port`);
  return texts.map((text) => {
    const url = `tcp://${text}`;
    const parts = URL.canParse(url) ? new URL(url) : undefined;
    if (parts === undefined || parts.hostname === "" || parts.href.replace(/\/$/, "") !== url)
      throw new TypeError(`expected ${name} to be of host:port, got ${JSON.stringify(text)}`);
    return { host: unbracketed(parts.hostname), port: parts.port === "" ? defaultPort : Number(parts.port) };
  });
}

function unbracketed(hostname: string): string {
  return hostname.startsWith("[") ? hostname.slice(1, -1) : hostname;
}
