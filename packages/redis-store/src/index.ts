/**
 * A store of time series in Redis: one server, a primary watched by sentinels, or a cluster. Implements the
 * `MetricStore` of `@mon/store`.
 *
 * @packageDocumentation
 */
export { type ServersOptions, serversDefaults } from "./options.ts";
export { RedisStore, type RedisStoreDeps, type RedisStoreLogger } from "./redis-store.ts";
export { type ServerFacts, warningsOf } from "./servers/facts.ts";
export { ServerError, type ServerErrorFacts, type ServerFault } from "./servers/server-error.ts";
export type { BreakerState, Primary, Servers, ServersEvents, ServerUse } from "./servers/servers.ts";
export type { StoreMarksReport } from "./servers/store-marks.ts";
export { type RedisStoreOptions, storeDefaults } from "./store-options.ts";
export type { ServerAddress } from "./wire/link.ts";
export type { Reply } from "./wire/reply.ts";
export type { TlsOptions } from "./wire/tls-options.ts";
