import type { Status } from "../core/status.ts";
import type { NodeId } from "../entry.ts";

/** The voter that a leader had best hand over to: of those that answer the one with the most of the log. */
export function bestSuccessor({ conf, id, progress }: Status): NodeId | undefined {
  const [best] = progress
    .filter((peer) => peer.recentlyActive && peer.id !== id && conf.voters.includes(peer.id))
    .sort((a, b) => b.match - a.match);
  return best?.id;
}
