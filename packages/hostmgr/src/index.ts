/**
 * Finds hosts, checks them, keeps their register, and says how many brokers a cluster needs.
 *
 * @packageDocumentation
 */

export { Autoscaler } from "./autoscaler/autoscaler.ts";
export type { BrokerLoad, LoadSignal } from "./autoscaler/broker-load.ts";
export type { Proposal } from "./autoscaler/proposal.ts";
export {
  defaultScalingActionOptions,
  isOver,
  type ScaleInState,
  type ScaleOutState,
  type ScalingAction,
  type ScalingActionOptions,
  type ScalingStep,
  type ScalingWorld,
  stepOf,
} from "./autoscaler/scaling-action.ts";
export type {
  ScalingChange,
  ScalingDecision,
  ScalingObservation,
  ScalingPause,
  ScalingReason,
} from "./autoscaler/scaling-decision.ts";
export {
  defaultScalingOptions,
  resolveScalingOptions,
  type ScalingOptions,
} from "./autoscaler/scaling-options.ts";
export { type Candidate, victimOf } from "./autoscaler/victim.ts";
export { CapturedOutput } from "./checks/captured-output.ts";
export { type CheckOutcome, outcomeOf } from "./checks/check-outcome.ts";
export {
  CheckScheduler,
  type CheckSchedulerDeps,
  type CheckSchedulerOptions,
  type CheckSchedulerStats,
  defaultCheckSchedulerOptions,
  nextTurnMs,
  type ScheduledCheck,
} from "./checks/check-scheduler.ts";
export {
  type CheckInput,
  type CheckOrigin,
  type CheckSpec,
  type GrpcCheck,
  type HttpCheck,
  resolveCheck,
  type ScriptCheck,
  type TcpCheck,
  withoutScripts,
} from "./checks/check-spec.ts";
export {
  afterResult,
  type CheckResult,
  type CheckState,
  type CheckStatus,
  type CheckThresholds,
  defaultCheckThresholds,
  newCheck,
  worstStatus,
} from "./checks/check-state.ts";
export {
  type Doubt,
  defaultProberDoubtOptions,
  ProberDoubt,
  type ProberDoubtOptions,
} from "./checks/prober-doubt.ts";
export {
  bodyBytesMax,
  type GrpcReading,
  type HttpReading,
  outputBytesMax,
  type ProbeOptions,
  type Probes,
  type ScriptReading,
} from "./checks/probes.ts";
export {
  type Confirmer,
  defaultSecondOpinionOptions,
  type SecondOpinionOptions,
  SecondOpinions,
} from "./checks/second-opinion.ts";
export type { Clock, Timer } from "./clock.ts";
export { AddressSpace, type AddressSpaceOptions, addressesMax } from "./discovery/address-space.ts";
export { formatAddress, type IpAddress, parseAddress } from "./discovery/ip-address.ts";
export { type IpRange, isInRange, parseRange, refusalOf } from "./discovery/ip-range.ts";
export { createPermutation } from "./discovery/permutation.ts";
export {
  defaultScanPaceOptions,
  type ProbeOutcome,
  ScanPace,
  type ScanPaceOptions,
} from "./discovery/scan-pace.ts";
export { defaultFlapDampingOptions, FlapDamping, type FlapDampingOptions } from "./registry/flap-damping.ts";
export type {
  Host,
  HostSighting,
  HostSource,
  HostSourceState,
  HostState,
  HostTransition,
  Maintenance,
} from "./registry/host.ts";
export {
  HostMonitor,
  type HostMonitorDeps,
  type HostMonitorOptions,
  type HostMonitorStats,
} from "./registry/host-monitor.ts";
export { type HostOrder, type HostPage, type HostQuery, pageOf } from "./registry/host-page.ts";
export { type HostRecord, recordOf } from "./registry/host-record.ts";
export { HostRegistry, type HostRegistryOptions, type RegistryTransition } from "./registry/host-registry.ts";
export { HostShare, type OwnerOf, type ShareChange } from "./registry/host-share.ts";
export {
  HostWriter,
  type HostWriterDeps,
  type HostWriterOptions,
  type HostWriterStats,
} from "./registry/host-writer.ts";
export {
  type DecodedHostsCommand,
  decodeHostsCommand,
  encodeHostsCommand,
  type HostsCommand,
  hostsPerCommandMax,
} from "./registry/hosts-command.ts";
export { HostsFsm, type HostsOutcome } from "./registry/hosts-fsm.ts";
export {
  defaultMassFailureGuardOptions,
  type GuardAlarm,
  type GuardRound,
  MassFailureGuard,
  type MassFailureGuardOptions,
} from "./registry/mass-failure-guard.ts";
export type { HostHandover, Takeover } from "./registry/takeover.ts";
export {
  type FeedItem,
  type FeedStats,
  TransitionFeed,
  type WatchOptions,
} from "./registry/transition-feed.ts";
export { defaultVerdictOptions, type Verdict, type VerdictOptions, verdictOn } from "./registry/verdict.ts";
