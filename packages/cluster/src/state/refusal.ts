/** Why a command changed nothing. */
export type RefusalCode =
  /** There is no cluster yet, or there is one already. */
  | "CLUSTER_NOT_FORMED"
  | "CLUSTER_ALREADY_FORMED"
  /** The command was meant for another cluster. */
  | "CLUSTER_MISMATCH"
  /** The member is unknown. */
  | "CLUSTER_UNKNOWN_MEMBER"
  /** A member of this id is there with another disk: it must be removed first. */
  | "CLUSTER_OTHER_INCARNATION"
  /** The member's version is too far from that of others. */
  | "CLUSTER_VERSION_MISMATCH"
  /** The member is not in a state from which this can be done. */
  | "CLUSTER_WRONG_STATE"
  /** A token that is unknown, was used, revoked or has expired. */
  | "CLUSTER_TOKEN_INVALID"
  /** The epoch is over, or never was. */
  | "CLUSTER_WRONG_EPOCH"
  /** Too many of something; which, says the reason. */
  | "CLUSTER_FULL"
  /** The cluster would be without a broker. */
  | "CLUSTER_LAST_MEMBER"
  /** Nobody could have meant it. */
  | "CLUSTER_MALFORMED";

/** A refusal: thrown while a command is applied, and handed to whoever proposed it. */
export class ClusterRefusal extends Error {
  override readonly name = "ClusterRefusal";
  readonly code: RefusalCode;

  constructor(code: RefusalCode, message: string) {
    super(message);
    this.code = code;
  }
}
