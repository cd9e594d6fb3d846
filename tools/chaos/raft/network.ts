/** A host and a port. */
export interface Address {
  readonly host: string;
  readonly port: number;
}

/** How members of a cluster reach each other, and how that is cut. The runner reaches them always. */
export interface Network {
  readonly kind: "namespaces" | "proxies";
  /** Builds it. */
  open(): Promise<void>;
  /** Where a member listens to others, and where `from` finds it. */
  peerAddress(from: string, to: string): Address;
  /** Where a member listens to clients. */
  clientAddress(id: string): Address;
  /** What a member is started by. */
  commandOf(id: string, command: readonly string[]): readonly string[];
  /** Loses what `from` sends to `to`; idempotent. */
  cut(from: string, to: string): Promise<void>;
  /** Undoes a cut; idempotent. */
  mend(from: string, to: string): Promise<void>;
  /** Undoes all cuts. */
  heal(): Promise<void>;
  /** Takes down whatever there is of it; safe while it is being built. */
  close(): Promise<void>;
}
