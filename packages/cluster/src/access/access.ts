import type { GuessLimiter } from "./guess-limiter.ts";
import { fitsPattern } from "./host-pattern.ts";
import { mayCall, type Role } from "./role.ts";
import { findToken, type TokenRecord } from "./token.ts";

/** Who calls: by a token's text, or by a peer's certificate that was checked. */
export interface Credentials {
  /** The caller's address, without port. */
  readonly address: string;
  readonly token?: string | undefined;
  /** The node id of its certificate. */
  readonly peerId?: string | undefined;
}

/** Somebody who was let in. */
export interface Principal {
  readonly role: Role | undefined;
  /** For logs and the audit: `token:<id>`, `peer:<node>`, or `anonymous`. */
  readonly name: string;
  readonly tokenId?: string;
}

/** Why somebody was not. */
export interface AccessRefusal {
  readonly code: "UNAUTHENTICATED" | "PERMISSION_DENIED" | "RESOURCE_EXHAUSTED";
  readonly reason: string;
  /** After how long it may try again. */
  readonly retryDelayMs?: number;
}

/** What decides. All of it may change between two calls, and the next goes by what is there then. */
export interface AccessDeps {
  readonly tokens: ReadonlyMap<string, TokenRecord>;
  /** Node ids of brokers that are members. */
  readonly peers: ReadonlySet<string>;
  readonly guesses: GuessLimiter;
}

/** Decides who may do what. Whatever it is not told to allow, it refuses. */
export class Access {
  readonly #deps: AccessDeps;

  constructor(deps: AccessDeps) {
    this.#deps = deps;
  }

  /** Lets a caller in to a method, `package.Service/Method`, or says why not. */
  admit(method: string, credentials: Credentials, nowMs: number): Principal | AccessRefusal {
    const who = this.#identify(credentials, nowMs);
    if ("code" in who) return who;
    if (mayCall(method, who.role)) return who;
    if (who.role === undefined)
      return { code: "UNAUTHENTICATED", reason: `expected a token to call ${method}, got none` };
    return {
      code: "PERMISSION_DENIED",
      reason: `expected one who may call ${method}, got the role ${who.role}`,
    };
  }

  /**
   * Whether a caller that was let in may go on, with a host if that is what it is about: asked with each message of a
   * stream, so that a token that is revoked or has expired ends at once.
   *
   * @returns undefined when it may
   */
  recheck(principal: Principal, hostId: string | undefined, nowMs: number): AccessRefusal | undefined {
    const { tokenId, role, name } = principal;
    if (role === "peer") {
      const isMember = this.#deps.peers.has(name.slice(peerPrefix.length));
      return isMember ? undefined : { code: "PERMISSION_DENIED", reason: `expected a member, got ${name}` };
    }
    if (tokenId === undefined) return undefined;
    const record = this.#deps.tokens.get(tokenId);
    const refusal = record === undefined ? revoked : refusalOf(record, nowMs);
    if (refusal !== undefined || hostId === undefined) return refusal;
    if (fitsPattern(record!.hostPattern, hostId)) return undefined;
    const reason = `expected a host that fits ${record!.hostPattern}, got ${hostId}`;
    return { code: "PERMISSION_DENIED", reason };
  }

  #identify({ address, token, peerId }: Credentials, nowMs: number): Principal | AccessRefusal {
    const { tokens, peers, guesses } = this.#deps;
    if (peerId !== undefined) {
      if (peers.has(peerId)) return { role: "peer", name: `${peerPrefix}${peerId}` };
      return { code: "PERMISSION_DENIED", reason: `expected the certificate of a member, got ${peerId}` };
    }
    if (token === undefined) return { role: undefined, name: "anonymous" };
    const retryDelayMs = guesses.waitMs(address, nowMs);
    if (retryDelayMs > 0)
      return { code: "RESOURCE_EXHAUSTED", reason: "too many wrong tokens", retryDelayMs };
    const record = findToken(token, tokens);
    const refusal = record === undefined ? unknown : refusalOf(record, nowMs);
    if (refusal !== undefined) {
      guesses.failed(address, nowMs);
      return refusal;
    }
    return { role: record!.role, name: `token:${record!.id}`, tokenId: record!.id };
  }
}

const peerPrefix = "peer:";
const unknown: AccessRefusal = {
  code: "UNAUTHENTICATED",
  reason: "expected a token of this cluster, got another",
};
const revoked: AccessRefusal = { code: "UNAUTHENTICATED", reason: "the token was revoked" };

function refusalOf({ expiresAtMs }: TokenRecord, nowMs: number): AccessRefusal | undefined {
  if (expiresAtMs === undefined || nowMs < expiresAtMs) return undefined;
  return { code: "UNAUTHENTICATED", reason: `the token expired at ${new Date(expiresAtMs).toISOString()}` };
}
