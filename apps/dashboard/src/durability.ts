import { Durability } from "@mon/proto";

/** What an acknowledgement of a store outlives, in a few words, by durability. */
export const DURABILITY_NAMES: Readonly<Record<number, string>> = {
  [Durability.UNSPECIFIED]: "",
  [Durability.QUEUED]: "queued",
  [Durability.MEMORY]: "in memory",
  [Durability.PROCESS]: "outlives its process",
  [Durability.FSYNC]: "on stable storage",
};
