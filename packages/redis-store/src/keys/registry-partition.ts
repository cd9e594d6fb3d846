import { slotOf } from "../servers/slot.ts";
import { registryPartitions } from "./key-space.ts";

/** The partition of the registry that a host is in: the slot of its id, modulo the number of partitions. */
export function registryPartition(hostId: string): number {
  return slotOf(hostId) % registryPartitions;
}
