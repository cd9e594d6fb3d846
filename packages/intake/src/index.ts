/**
 * From bytes on a wire to fragments in a store: scan, validate, clean, deduplicate, batch. Pure: store, clock and
 * options come in by hand.
 *
 * @packageDocumentation
 */
export { BatchReader, type ReadBatch } from "./batch.ts";
export {
  Batcher,
  type BatcherOptions,
  defaultBatcherOptions,
  type Passenger,
  type Write,
} from "./batcher.ts";
export { ByteBudget } from "./byte-budget.ts";
export type { Clock, Timer } from "./clock.ts";
export type { IntakeCounters } from "./counters.ts";
export { Intake, type IntakeDeps, type IntakeOptions, type IntakeRoutes } from "./intake.ts";
export type { Outcome, Refusal } from "./outcome.ts";
export { type OpenTelemetryMetric, prometheusLabel, prometheusName } from "./prometheus-name.ts";
export type { Reason, Rejection } from "./reason.ts";
export {
  defaultRules,
  type IntakeRules,
  type NamePolicy,
  type NonFinitePolicy,
  type RangeAction,
  type RangeRule,
} from "./rules.ts";
