/**
 * Reports metrics to mon brokers: buffers while they are away, streams in numbered batches, fails over.
 *
 * What a program hands over is always in one of four places, and `ledger` says how much is in each: acked, rejected,
 * dropped, or still buffered. Nothing is acked before a broker said that it is stored, and nothing is given up silently.
 *
 * @packageDocumentation
 */

export {
  type ClientDeps,
  type ClientState,
  createClient,
  MonClient,
  type MonClientEvents,
} from "./client.ts";
export type { Clock, Random, Timer } from "./clock.ts";
export { ClientError, type ClientErrorCode } from "./errors.ts";
export type { Count, LedgerSnapshot, Tally } from "./ledger.ts";
export {
  type ClientOptions,
  type ClientTls,
  defaults,
  type ResolvedOptions,
  resolveOptions,
} from "./options.ts";
export type { Registration } from "./presence.ts";
export type { ReportInput, SampleInput, SampleKind } from "./report-bytes.ts";
export type { DropReason, PushResult } from "./session.ts";
