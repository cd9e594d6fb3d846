import { type Reply, ReplyError } from "../wire/reply.ts";
import type { ServerFault } from "./server-error.ts";

/** What to do about an error reply. */
export type Treatment =
  /** Send it where the reply says, or here again: none of it was done. */
  | "follow"
  /** Give the server its scripts and send it again: none of it was done. */
  | "reload"
  /** The server's state refuses it; it goes back to the caller. */
  | "refuse";

/** What an error reply means. Each is worth trying again. */
export interface ReplyFault {
  readonly fault: ServerFault;
  readonly treatment: Treatment;
  /** Whether who is primary should be looked at anew. */
  readonly isStale: boolean;
  /** Whether the server as a whole is of no use for now, which counts for its breaker. */
  readonly isOutage: boolean;
  /** How long the caller should wait. */
  readonly retryDelayMs: number;
}

/**
 * The errors that tell of a server's state and not of the command: each refuses the command before anything of it is done.
 * What is not here (WRONGTYPE, CROSSSLOT, ERR) is the command's own and no matter of ours; nor is EXECABORT, which follows an
 * error of either kind.
 */
const faults: ReadonlyMap<string, ReplyFault> = new Map([
  // A redirection says that who serves which slot has changed.
  row("MOVED", "follow", "unserved", { retryDelayMs: 100, isStale: true }),
  // A slot on its way: the asked server has the key no more, or has only some of the keys.
  row("ASK", "follow", "unserved", { retryDelayMs: 100 }),
  row("TRYAGAIN", "follow", "unserved", { retryDelayMs: 100 }),
  row("NOSCRIPT", "reload", "unexpected", { retryDelayMs: 100 }),
  row("CLUSTERDOWN", "refuse", "unserved", { retryDelayMs: 500, isStale: true }),
  row("READONLY", "refuse", "read-only", { retryDelayMs: 250, isStale: true }),
  // WAIT and the like, when the server has just become a replica.
  row("UNBLOCKED", "refuse", "read-only", { retryDelayMs: 250, isStale: true }),
  row("LOADING", "refuse", "busy", { retryDelayMs: 500, isStale: true, isOutage: true }),
  row("MASTERDOWN", "refuse", "busy", { retryDelayMs: 500, isStale: true, isOutage: true }),
  row("BUSY", "refuse", "busy", { retryDelayMs: 500, isOutage: true }),
  row("OOM", "refuse", "out-of-memory", { retryDelayMs: 1000 }),
  row("NOREPLICAS", "refuse", "too-few-replicas", { retryDelayMs: 500 }),
  row("MISCONF", "refuse", "cannot-persist", { retryDelayMs: 1000 }),
  // Retrying is right all the same: reports must not be thrown away because an operator mistyped a password.
  row("NOAUTH", "refuse", "not-permitted", { retryDelayMs: 1000 }),
  row("NOPERM", "refuse", "not-permitted", { retryDelayMs: 1000 }),
  row("WRONGPASS", "refuse", "not-permitted", { retryDelayMs: 1000 }),
]);

function row(
  code: string,
  treatment: Treatment,
  fault: ServerFault,
  { retryDelayMs, isStale = false, isOutage = false }: Partial<ReplyFault> & { retryDelayMs: number },
): readonly [string, ReplyFault] {
  return [code, { treatment, fault, isStale, isOutage, retryDelayMs }];
}

/**
 * What an error reply says of the server; undefined when it is the command's own. Before Redis 7 an error within a script
 * is quoted in one that begins with ERR.
 */
export function faultOf(error: ReplyError): ReplyFault | undefined {
  if (error.code !== "ERR") return faults.get(error.code);
  const quoted = /^ERR Error running script .*?: -?([A-Z]+) /.exec(error.message)?.[1];
  return quoted === undefined ? undefined : faults.get(quoted);
}

/** An error reply that tells of the server's state. */
export interface StateError {
  readonly error: ReplyError;
  readonly fault: ReplyFault;
}

/**
 * The first error among replies `from` to before `to`, and within a transaction's array, that tells of the server's state.
 */
export function stateErrorIn(replies: readonly Reply[], from: number, to: number): StateError | undefined {
  for (let i = from; i < to; i++) {
    const reply = replies[i]!;
    if (typeof reply !== "object" || reply === null || reply instanceof Uint8Array) continue;
    const found = reply instanceof ReplyError ? stateError(reply) : stateErrorIn(reply, 0, reply.length);
    if (found !== undefined) return found;
  }
  return undefined;
}

function stateError(error: ReplyError): StateError | undefined {
  const fault = faultOf(error);
  return fault === undefined ? undefined : { error, fault };
}

/** Where MOVED and ASK lead; undefined when the reply is none or names no server. */
export function redirectionOf(
  error: ReplyError,
  askedHost: string,
): { readonly slot: number; readonly host: string; readonly port: number } | undefined {
  const parts = /^(?:MOVED|ASK) (\d+) (.*):(\d+)$/.exec(error.message);
  if (parts === null) return undefined;
  const [, slot, host, port] = parts;
  // A node that does not know its own name means the host that was asked.
  return { slot: Number(slot), host: host === "" || host === "?" ? askedHost : host!, port: Number(port) };
}
