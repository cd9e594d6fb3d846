import { StoreError, type StoreErrorCode } from "@mon/store";

/** What stood in the way, more closely than the code says. */
export type ServerFault =
  /** No connection to the server; it is being opened again. */
  | "disconnected"
  /** The breaker is open: the server has failed too often of late. */
  | "broken-circuit"
  /** Too many bytes are under way to this server. */
  | "congested"
  /** The connection broke, or the server did not answer in time. */
  | "cut"
  /** Nobody serves the slot, or redirections did not end. */
  | "unserved"
  /** The server takes no writes for now: it is a replica, out of memory, cannot save, has too few replicas. */
  | "read-only"
  | "out-of-memory"
  | "cannot-persist"
  | "too-few-replicas"
  /** It is loading its data, runs a long script, or has lost its primary. */
  | "busy"
  /** Fewer copies than asked for in time. */
  | "too-few-copies"
  /** The user or its permissions are not what is needed. */
  | "not-permitted"
  /** A script is not known even after it was loaded, a reply that none of our commands can have. */
  | "unexpected"
  /** The caller gave up. */
  | "aborted"
  /** The deployment is not what the configuration says, or too old. */
  | "mismatch";

/** What is known besides. */
export interface ServerErrorFacts {
  readonly fault: ServerFault;
  /** Whether trying again may help, without anybody doing anything. */
  readonly isRetryable: boolean;
  /** Whether some of it may have been done. */
  readonly isInDoubt: boolean;
  /** How long to wait before it, in milliseconds. */
  readonly retryDelayMs?: number;
}

/** An error of talking to servers. */
export class ServerError extends StoreError {
  readonly fault: ServerFault;
  readonly isRetryable: boolean;
  readonly isInDoubt: boolean;
  readonly retryDelayMs: number;

  constructor(code: StoreErrorCode, message: string, facts: ServerErrorFacts, options?: ErrorOptions) {
    super(code, message, options);
    this.fault = facts.fault;
    this.isRetryable = facts.isRetryable;
    this.isInDoubt = facts.isInDoubt;
    this.retryDelayMs = facts.retryDelayMs ?? 0;
  }

  /** The same, of commands of which some may have been done. */
  inDoubt(): ServerError {
    const { code, message, fault, isRetryable, retryDelayMs } = this;
    const facts = { fault, isRetryable, isInDoubt: true, retryDelayMs };
    return new ServerError(code, message, facts, { cause: this });
  }
}
