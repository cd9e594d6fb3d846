import { setTimeout as delay } from "node:timers/promises";
import { Code, ConnectError } from "@connectrpc/connect";
import type { MemberFacts } from "@mon/cluster";
import type { JoinResponse } from "@mon/proto";
import type { Logger } from "../logger.ts";
import { ClusterStartError } from "./cluster-start-error.ts";
import type { PeerClients } from "./peer-clients.ts";
import { refusalTrailer } from "./peer-service.ts";

/** How long one member may take. Asking again, or another, is safe. */
const timeoutMs = 2_000;
const backoffMsMin = 250;
const backoffMsMax = 5_000;

/** What it takes to ask. */
export interface JoinAttempt {
  readonly clients: PeerClients;
  /** Peer doors, in the order in which they are asked. */
  readonly addresses: () => readonly string[];
  /** Empty when it is in no cluster. */
  readonly clusterId: string;
  readonly member: MemberFacts;
  readonly isStoreShared: boolean;
  /** How often all are asked; without end when it is left out. */
  readonly roundsMax?: number;
  readonly logger: Logger;
  readonly signal: AbortSignal;
}

/**
 * Asks members in turn to be let in, until one does: they may be starting too.
 *
 * @returns undefined when none did in {@link JoinAttempt.roundsMax}
 * @throws {ClusterStartError} when it is refused, and asking again would not help; the signal's reason when it is called off
 */
export async function askToJoin(attempt: JoinAttempt): Promise<JoinResponse | undefined> {
  const {
    clients,
    addresses,
    clusterId,
    member,
    isStoreShared,
    roundsMax = Number.POSITIVE_INFINITY,
    logger,
    signal,
  } = attempt;
  let told = "";
  let backoffMs = backoffMsMin;
  for (let round = 1; ; round++) {
    const failures: string[] = [];
    for (const address of addresses()) {
      try {
        return await clients.once(address, (client) =>
          client.join({ clusterId, member, isStoreShared }, { timeoutMs, signal }),
        );
      } catch (error) {
        signal.throwIfAborted();
        failures.push(`${address}: ${failureOf(error, member)}`);
      }
    }
    const reasons = failures.join("; ");
    if (reasons !== told) logger.warn({ reasons }, "not let into the cluster yet, asking on");
    told = reasons;
    if (round >= roundsMax) return undefined;
    await delay(backoffMs, undefined, { signal });
    backoffMs = Math.min(backoffMsMax, backoffMs * 2);
  }
}

/** What went wrong, for people. @throws {ClusterStartError} for a refusal */
function failureOf(error: unknown, { nodeId }: MemberFacts): string {
  const { code, rawMessage, metadata } = ConnectError.from(error);
  const refusal = metadata.get(refusalTrailer);
  if (refusal === "CLUSTER_OTHER_INCARNATION")
    throw new ClusterStartError("data", `the cluster refuses ${nodeId}: ${rawMessage}`);
  if (refusal === "CLUSTER_MISMATCH") {
    const wayOut = "check --join, or change over with an empty data directory";
    throw new ClusterStartError("configuration", `the cluster refuses ${nodeId}: ${rawMessage}: ${wayOut}`);
  }
  if (refusal !== null || code === Code.InvalidArgument || code === Code.PermissionDenied)
    throw new ClusterStartError("configuration", `the cluster refuses ${nodeId}: ${rawMessage}`);
  return rawMessage;
}
