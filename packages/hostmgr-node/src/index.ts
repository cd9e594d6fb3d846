/**
 * What the checks of `@mon/hostmgr` touch, on Node: sockets, programs, the event loop.
 *
 * @packageDocumentation
 */

export { AddressChooser, type AddressPolicy, type Resolver, systemResolver } from "./checked-address.ts";
export { HostIoError, type HostIoErrorCode } from "./errors.ts";
export { type LoopLag, watchLoopLag } from "./loop-lag.ts";
export { createNodeProbes, type NodeProbesOptions } from "./node-probes.ts";
export type { ScriptUser } from "./script-probe.ts";
