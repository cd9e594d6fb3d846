import type { LogIndex, NodeId } from "../../entry.ts";

/** How a vote stands. */
export type VoteResult = "won" | "lost" | "pending";

/** How many of `count` make a majority. */
function majorityOf(count: number): number {
  return Math.floor(count / 2) + 1;
}

/**
 * The largest index that a majority of `voters` has acknowledged. Infinity for no voters: an empty half of a joint
 * membership holds nothing back. O(n²) for n voters, of which there are seven at most in practice; no allocation
 * beyond one small array.
 *
 * @param acked - the index a voter has acknowledged; 0 when it never did
 */
export function majorityIndex(voters: readonly NodeId[], acked: (id: NodeId) => LogIndex): LogIndex {
  const count = voters.length;
  if (count === 0) {
    return Number.POSITIVE_INFINITY;
  }
  const ascending: LogIndex[] = [];
  for (const id of voters) {
    const index = acked(id);
    let at = ascending.length;
    ascending.push(index);
    while (at > 0 && ascending[at - 1]! > index) {
      ascending[at] = ascending[at - 1]!;
      at--;
    }
    ascending[at] = index;
  }
  return ascending[count - majorityOf(count)]!;
}

/**
 * What a vote among `voters` has come to. No voters have always won, so that an empty half decides nothing.
 *
 * @param vote - how a voter voted; undefined while it did not
 */
export function majorityVote(
  voters: readonly NodeId[],
  vote: (id: NodeId) => boolean | undefined,
): VoteResult {
  let granted = 0;
  let missing = 0;
  for (const id of voters) {
    const answer = vote(id);
    if (answer === undefined) {
      missing++;
    } else if (answer) {
      granted++;
    }
  }
  const needed = voters.length === 0 ? 0 : majorityOf(voters.length);
  if (granted >= needed) {
    return "won";
  }
  return granted + missing >= needed ? "pending" : "lost";
}
