/**
 * What every store and transport must do, as Vitest suites. Call them in a test file of the implementation.
 *
 * @packageDocumentation
 */
export { type LogStoreFixture, logStoreConformance } from "./conformance/log-store.ts";
export { type SnapshotStoreFixture, snapshotStoreConformance } from "./conformance/snapshot-store.ts";
export { type StableStoreFixture, stableStoreConformance } from "./conformance/stable-store.ts";
export { type TransportFixture, transportConformance } from "./conformance/transport.ts";
