import * as proto from "@mon/proto";
import * as grpc from "@mon/proto/grpc";
import fc from "fast-check";
import { describe, expect, it } from "vitest";
import {
  Access,
  audiences,
  createToken,
  fitsPattern,
  GuessLimiter,
  type Role,
  type TokenRecord,
} from "../../src/index.ts";

const roles: readonly Role[] = ["agent", "reader", "admin", "metrics", "peer"];

interface ServiceLike {
  readonly kind: "service";
  readonly typeName: string;
  readonly methods: readonly { readonly name: string }[];
}

/** Every method that is in the wire contract. */
const methods = [...Object.values(proto), ...Object.values(grpc)]
  .filter((value): value is ServiceLike & typeof value => (value as { kind?: string }).kind === "service")
  .flatMap(({ typeName, methods: own }) => own.map(({ name }) => `${typeName}/${name}`));

function token(seed: number, grant: Parameters<typeof createToken>[1]) {
  return createToken(new Uint8Array(40).fill(seed), grant);
}

class Door {
  readonly tokens = new Map<string, TokenRecord>();
  readonly peers = new Set(["b1"]);
  readonly access: Access;

  constructor() {
    this.access = new Access({ tokens: this.tokens, peers: this.peers, guesses: new GuessLimiter() });
  }

  /** Keeps a token. @returns its text */
  give(seed: number, grant: Parameters<typeof createToken>[1]): string {
    const { text, record } = token(seed, grant);
    this.tokens.set(record.id, record);
    return text;
  }
}

describe("methods", () => {
  it("each have an audience, and no audience is for a method that is not there", () => {
    expect([...audiences.keys()].sort()).toEqual([...new Set(methods)].sort());
    expect(methods.length).toBeGreaterThan(10);
  });

  it.each(methods)("let in who may call them, and nobody else: %s", (method) => {
    const door = new Door();
    const audience = audiences.get(method)!;
    for (const role of roles) {
      const credentials =
        role === "peer"
          ? { address: "::1", peerId: "b1" }
          : { address: "::1", token: door.give(roles.indexOf(role) + 1, { role, hostPattern: "*" }) };
      const answer = door.access.admit(method, credentials, 0);
      const isExpected = audience === "anyone" || audience.includes(role);
      expect([role, "code" in answer ? answer.code : "in"]).toEqual([
        role,
        isExpected ? "in" : "PERMISSION_DENIED",
      ]);
    }
    const stranger = door.access.admit(method, { address: "::1" }, 0);
    expect("code" in stranger ? stranger.code : "in").toBe(audience === "anyone" ? "in" : "UNAUTHENTICATED");
  });

  it("that nobody knows let nobody in", () => {
    const door = new Door();
    const admin = door.give(1, { role: "admin", hostPattern: "*" });
    const answer = door.access.admit("mon.v1.AdminService/Explode", { address: "::1", token: admin }, 0);
    expect(answer).toMatchObject({ code: "PERMISSION_DENIED" });
  });
});

describe("a token", () => {
  const report = "mon.v1.MonitorService/Report";

  it("is kept as a hash that does not tell it", () => {
    const { text, record } = token(7, { role: "agent", hostPattern: "*" });
    expect(text).toMatch(/^mon_0707070707070707_[\w-]{43}$/);
    const secret = text.split("_").slice(2).join("_");
    expect(
      JSON.stringify({ ...record, secretHash: Buffer.from(record.secretHash).toString("base64url") }),
    ).not.toContain(secret);
  });

  it("with another secret, or none, is none", () => {
    const door = new Door();
    const text = door.give(1, { role: "agent", hostPattern: "*" });
    for (const wrong of [
      `${text.slice(0, -1)}x`,
      text.slice(0, -1),
      `${text}=`,
      "",
      "mon_",
      text.toUpperCase(),
    ]) {
      expect(door.access.admit(report, { address: wrong, token: wrong }, 0)).toMatchObject({
        code: "UNAUTHENTICATED",
      });
    }
  });

  it("ends when it expires or is revoked, in the middle of a stream", () => {
    const door = new Door();
    const text = door.give(1, { role: "agent", hostPattern: "web-*", expiresAtMs: 1_000 });
    const principal = door.access.admit(report, { address: "::1", token: text }, 999);
    if ("code" in principal) throw new Error(principal.reason);
    expect(door.access.recheck(principal, "web-1", 999)).toBeUndefined();
    expect(door.access.recheck(principal, "web-1", 1_000)?.reason).toBe(
      "the token expired at 1970-01-01T00:00:01.000Z",
    );
    expect(door.access.admit(report, { address: "::1", token: text }, 1_000)).toMatchObject({
      code: "UNAUTHENTICATED",
    });
    door.tokens.clear();
    expect(door.access.recheck(principal, "web-1", 0)?.reason).toBe("the token was revoked");
  });

  it("is for the hosts of its pattern only, message by message", () => {
    const door = new Door();
    const text = door.give(1, { role: "agent", hostPattern: "web-*" });
    const principal = door.access.admit(report, { address: "::1", token: text }, 0);
    if ("code" in principal) throw new Error(principal.reason);
    expect(door.access.recheck(principal, "web-7", 0)).toBeUndefined();
    expect(door.access.recheck(principal, "db-1", 0)).toEqual({
      code: "PERMISSION_DENIED",
      reason: "expected a host that fits web-*, got db-1",
    });
  });

  it("of a pattern that no host could have is refused", () => {
    for (const hostPattern of ["", "a b", "{x}", "*".repeat(5), "x".repeat(129)]) {
      expect(() => token(1, { role: "agent", hostPattern })).toThrow("expected a pattern of letters");
    }
  });
});

it("lets a peer in while it is a member", () => {
  const door = new Door();
  const exchange = "mon.v1.RaftService/Exchange";
  expect(door.access.admit(exchange, { address: "::1", peerId: "b9" }, 0)).toMatchObject({
    code: "PERMISSION_DENIED",
  });
  const peer = door.access.admit(exchange, { address: "::1", peerId: "b1" }, 0);
  if ("code" in peer) throw new Error(peer.reason);
  expect(door.access.recheck(peer, undefined, 0)).toBeUndefined();
  door.peers.delete("b1");
  expect(door.access.recheck(peer, undefined, 0)).toMatchObject({ code: "PERMISSION_DENIED" });
});

describe("who guesses", () => {
  it("waits after five failures in a minute, longer each time, the right token included", () => {
    const door = new Door();
    const right = door.give(1, { role: "reader", hostPattern: "*" });
    const query = "mon.v1.QueryService/QueryLatest";
    for (let i = 0; i < 5; i++) door.access.admit(query, { address: "10.0.0.9", token: "wrong" }, i);
    expect(door.access.admit(query, { address: "10.0.0.9", token: right }, 5)).toEqual({
      code: "RESOURCE_EXHAUSTED",
      reason: "too many wrong tokens",
      retryDelayMs: 999,
    });
    expect(door.access.admit(query, { address: "10.0.0.8", token: right }, 5)).not.toHaveProperty("code");
    expect(door.access.admit(query, { address: "10.0.0.9", token: right }, 1_004)).not.toHaveProperty("code");
  });

  it("waits twice as long with each further failure, five minutes at most, and begins anew after a quiet minute", () => {
    const guesses = new GuessLimiter();
    let nowMs = 0;
    const waits: number[] = [];
    for (let i = 0; i < 16; i++) {
      guesses.failed("x", nowMs);
      waits.push(guesses.waitMs("x", nowMs));
      nowMs += waits.at(-1)!;
    }
    expect(waits).toEqual([0, 0, 0, 0, 1e3, 2e3, 4e3, 8e3, 16e3, 32e3, 64e3, 128e3, 256e3, 3e5, 3e5, 3e5]);
    guesses.failed("x", nowMs + 60_001);
    expect(guesses.waitMs("x", nowMs + 60_001)).toBe(0);
  });

  it("is one of 10,000 addresses that are remembered", () => {
    const guesses = new GuessLimiter({ addressesMax: 3, failuresMax: 1 });
    for (const address of ["a", "b", "c", "a", "d"]) guesses.failed(address, 0);
    expect(["a", "b", "c", "d"].map((address) => guesses.waitMs(address, 0) > 0)).toEqual([
      true,
      false,
      true,
      true,
    ]);
  });
});

it("patterns fit as the obvious regular expression says", () => {
  const letters = fc.string({ unit: fc.constantFrom("a", "b", "."), maxLength: 8 });
  const pattern = fc.string({ unit: fc.constantFrom("a", "b", ".", "*"), minLength: 1, maxLength: 6 });
  fc.assert(
    fc.property(pattern, letters, (glob, hostId) => {
      const obvious = new RegExp(`^${glob.replaceAll(".", "\\.").replaceAll("*", ".*")}$`);
      expect(fitsPattern(glob, hostId)).toBe(obvious.test(hostId));
    }),
    { numRuns: 5_000 },
  );
});
