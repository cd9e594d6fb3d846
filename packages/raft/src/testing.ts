/**
 * Parts to test programs and stores of this package with: a simulator that runs a whole cluster in virtual time from
 * one seed ({@link simulate}), the parts it is made of, and a linearizability checker.
 *
 * @packageDocumentation
 */
export { LogImage } from "./memory/log-image.ts";
export {
  drawFaults,
  type Fault,
  type FaultKind,
  faultKinds,
  LEADER,
  type PartitionShape,
} from "./testing/fault.ts";
export {
  checkLinearizability,
  type LinearizabilityVerdict,
  type Operation,
  type SequentialModel,
} from "./testing/linearizability.ts";
export { minimise } from "./testing/minimise.ts";
export { drawProfile, type SimulationProfile } from "./testing/profile.ts";
export type { InvariantName } from "./testing/referee/violation.ts";
export { SeededRandom } from "./testing/seeded-random.ts";
export { SimDisk, type SimDiskState, type SimWrite } from "./testing/sim-disk.ts";
export { SimLogStore } from "./testing/sim-log-store.ts";
export { calmWeather, type NetworkObserver, type NetworkWeather, SimNetwork } from "./testing/sim-network.ts";
export { type SimSnapshotFile, SimSnapshotStore } from "./testing/sim-snapshot-store.ts";
export { type SimStableFile, SimStableStore } from "./testing/sim-stable-store.ts";
export {
  type SimulationCounts,
  type SimulationOptions,
  type SimulationResult,
  simulate,
} from "./testing/simulation.ts";
export { SimProcess, VirtualLoop } from "./testing/virtual-loop.ts";
export {
  RegisterWorkload,
  type SimulationWorkload,
  type WorkloadCall,
  type WorkloadQuery,
} from "./testing/workload.ts";
