/** A broker that might be removed. */
export interface Candidate {
  readonly nodeId: string;
  readonly zone: string;
  readonly isHealthy: boolean;
  readonly isLeader: boolean;
  /** Whether somebody said that it is to stay. */
  readonly isProtected: boolean;
  readonly activeSinceMs: number;
  readonly agentConnections: number;
}

/**
 * The broker to remove: an unhealthy one first, then one of the zone that has most, then the newest, then the one with
 * the fewest connections, then by id. Never the leader, never one that is protected, never the last of its zone while
 * another zone has more than one. O(n log n).
 *
 * @returns undefined when none may be removed
 */
export function victimOf(brokers: readonly Candidate[]): Candidate | undefined {
  const perZone = new Map<string, number>();
  for (const { zone } of brokers) perZone.set(zone, (perZone.get(zone) ?? 0) + 1);
  const most = Math.max(...perZone.values());
  return brokers
    .filter(({ isLeader, isProtected }) => !isLeader && !isProtected)
    .filter(({ zone }) => most === 1 || perZone.get(zone)! > 1)
    .sort(
      (a, b) =>
        Number(a.isHealthy) - Number(b.isHealthy) ||
        perZone.get(b.zone)! - perZone.get(a.zone)! ||
        b.activeSinceMs - a.activeSinceMs ||
        a.agentConnections - b.agentConnections ||
        (a.nodeId < b.nodeId ? -1 : 1),
    )[0];
}
