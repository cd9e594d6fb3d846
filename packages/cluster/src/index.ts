/**
 * What brokers of a cluster agree on, and how they judge each other.
 *
 * @packageDocumentation
 */

export {
  Access,
  type AccessDeps,
  type AccessRefusal,
  type Credentials,
  type Principal,
} from "./access/access.ts";
export {
  defaultGuessLimiterOptions,
  GuessLimiter,
  type GuessLimiterOptions,
} from "./access/guess-limiter.ts";
export { assertHostPattern, fitsPattern } from "./access/host-pattern.ts";
export { type Audience, audiences, mayCall, type Role } from "./access/role.ts";
export {
  createToken,
  findToken,
  type TokenGrant,
  type TokenRecord,
  tokenIdBytes,
  tokenSecretBytes,
} from "./access/token.ts";
export { type DutySituation, nextDuty } from "./duty.ts";
export {
  defaultFailureDetectorOptions,
  FailureDetector,
  type FailureDetectorOptions,
  type HealthChange,
  type PeerHealth,
} from "./failure-detector.ts";
export { previewRing, type RingPreview, ringOf } from "./ring-preview.ts";
export { applyCommand } from "./state/apply-command.ts";
export { ClusterFsm, type ClusterOutcome } from "./state/cluster-fsm.ts";
export {
  type AccessToken,
  type ClusterState,
  type CopyProgress,
  emptyClusterState,
  type JoinToken,
  type PastRing,
  type RingChange,
  type RingMember,
  type RingState,
  type RingWish,
  type StoreScope,
} from "./state/cluster-state.ts";
export {
  type ClusterCommand,
  type CommandOf,
  commandVersion,
  encodeCommand,
  isCompatible,
} from "./state/command.ts";
export type { Member, MemberFacts, MemberState } from "./state/member.ts";
export { ClusterRefusal, type RefusalCode } from "./state/refusal.ts";
export {
  defaultVoterOptions,
  planVoters,
  type VoterOptions,
  type VoterPlan,
  type VoterSituation,
  type VoterStep,
  voterCount,
} from "./voter-plan.ts";
