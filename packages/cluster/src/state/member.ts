/** Where a broker is in its life. One that has left may come back, as another incarnation. */
export type MemberState =
  /** It is known and has no share of the ring. */
  | "joining"
  /** It has a share, or is about to get one. */
  | "active"
  /** It hands its share over. */
  | "leaving"
  /** It has none any more, and is only remembered. */
  | "left"
  /** It has a share and does not answer. */
  | "down";

/** What a broker says of itself. */
export interface MemberFacts {
  readonly nodeId: string;
  /** Door to agents, host:port. */
  readonly agentAddress: string;
  /** Door to brokers, host:port. */
  readonly peerAddress: string;
  /** Where it stands; copies and votes are spread over zones. Empty when it does not say. */
  readonly zone: string;
  /** Its share of the ring, against others; 1 is usual. */
  readonly weight: number;
  /** Of its software, as semver. */
  readonly version: string;
  /** Made anew with its data directory: a node that comes back with an empty disk has another. */
  readonly incarnation: string;
}

/** A broker, as the cluster knows it. */
export interface Member extends MemberFacts {
  readonly state: MemberState;
  /** When the state was entered, by the clock of who proposed it, milliseconds since the Unix epoch. */
  readonly sinceMs: number;
}
