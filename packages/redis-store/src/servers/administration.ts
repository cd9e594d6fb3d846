import { Redis, type RedisOptions } from "ioredis";
import type { ResolvedServersOptions } from "../options.ts";
import type { ServerAddress } from "../wire/link.ts";
import { ServerError, type ServerErrorFacts } from "./server-error.ts";
import { nameOf } from "./server-links.ts";

/** Whom to log in at: servers with data, or sentinels, which have users of their own. */
export type Login = "server" | "sentinel";

type Connection = Pick<
  ResolvedServersOptions,
  | "username"
  | "password"
  | "sentinelUsername"
  | "sentinelPassword"
  | "tls"
  | "name"
  | "connectTimeoutMs"
  | "commandTimeoutMs"
>;

/**
 * Asks one server something over a connection of its own, which nothing else waits behind, and hangs up. For questions that
 * are asked seldom.
 *
 * @throws {ServerError} what the task threw, or why the server could not be asked
 */
export async function ask<T>(
  address: ServerAddress,
  login: Login,
  connection: Connection,
  task: (redis: Redis) => Promise<T>,
): Promise<T> {
  const redis = new Redis(redisOptions(address, login, connection));
  let failure: Error | undefined;
  // Said besides the rejection, and more exact than it: a wrong password rejects as a closed connection.
  redis.on("error", (error: Error) => {
    failure ??= error;
  });
  try {
    await redis.connect();
    return await task(redis);
  } catch (error) {
    if (error instanceof ServerError) throw error;
    throw errorFrom(address, failure ?? error);
  } finally {
    redis.disconnect();
  }
}

/** Hears what sentinels say of who is primary, until it is closed. */
export class SentinelWatch {
  readonly #clients: readonly Redis[];

  /**
   * @param onSwitch - sentinels have agreed on another primary
   */
  constructor(
    sentinels: readonly ServerAddress[],
    masterName: string,
    connection: Connection & Pick<ResolvedServersOptions, "reconnectDelayMsMin" | "reconnectDelayMsMax">,
    onSwitch: () => void,
  ) {
    const { reconnectDelayMsMin, reconnectDelayMsMax } = connection;
    this.#clients = sentinels.map((address) => {
      const redis = new Redis({
        ...redisOptions(address, "sentinel", connection),
        enableOfflineQueue: true,
        // A subscription is no command that times out.
        commandTimeout: connection.connectTimeoutMs,
        retryStrategy: (times: number) =>
          Math.min(reconnectDelayMsMax, reconnectDelayMsMin * 2 ** Math.min(times, 30)),
      });
      // A sentinel that is gone is no error as long as another answers, and that is found out by asking.
      redis.on("error", () => {});
      redis.on("message", (_channel: string, message: string) => {
        if (message.startsWith(`${masterName} `)) onSwitch();
      });
      redis.connect().catch(() => {});
      redis.subscribe("+switch-master").catch(() => {});
      return redis;
    });
  }

  close(): void {
    for (const redis of this.#clients) redis.disconnect();
  }
}

function redisOptions(
  { host, port }: ServerAddress,
  login: Login,
  connection: Connection,
): Omit<RedisOptions, "replyMapping"> {
  const { username, password, sentinelUsername, sentinelPassword, tls, name } = connection;
  const [user, secret] = login === "server" ? [username, password] : [sentinelUsername, sentinelPassword];
  return {
    host,
    port,
    ...(user === undefined ? {} : { username: user }),
    ...(secret === undefined ? {} : { password: secret }),
    ...(tls === undefined ? {} : { tls }),
    // Sentinels know CLIENT SETNAME as well.
    connectionName: `${name}-administration`,
    protocol: 2,
    lazyConnect: true,
    enableReadyCheck: false,
    enableOfflineQueue: false,
    autoResendUnfulfilledCommands: false,
    maxRetriesPerRequest: 0,
    retryStrategy: () => null,
    connectTimeout: connection.connectTimeoutMs,
    commandTimeout: connection.commandTimeoutMs,
  };
}

const refusals = /^(?:NOAUTH|NOPERM|WRONGPASS|ERR .*(?:AUTH|password))/i;

function errorFrom(address: ServerAddress, cause: unknown): ServerError {
  const message = cause instanceof Error ? cause.message : String(cause);
  const isRefused = refusals.test(message);
  const facts: ServerErrorFacts = {
    fault: isRefused ? "not-permitted" : "disconnected",
    isRetryable: !isRefused,
    isInDoubt: false,
    retryDelayMs: 500,
  };
  const code = isRefused ? "STORE_UNUSABLE" : "STORE_UNAVAILABLE";
  return new ServerError(code, `redis at ${nameOf(address)}: ${message}`, facts, { cause });
}
