import { X509Certificate } from "node:crypto";
import { once } from "node:events";
import { createSecureServer } from "node:http2";
import { type ConnectRouter, createContextValues } from "@connectrpc/connect";
import { connectNodeAdapter } from "@connectrpc/connect-node";
import { describe, expect, it } from "vitest";
import { TestAuthority, type TestCertificate } from "../../../tools/build/certificate.ts";
import { peerContext, serverOptions } from "../src/index.ts";
import { type Addresses, openSite, portOf, readIndex, type SiteOptions, startSite } from "./support.ts";

const authority = new TestAuthority();
const certificates = { a: authority.issue(), b: authority.issue(), c: authority.issue() };

/** Which node each certificate was issued to. */
function verifyPeer({ fingerprint256 }: X509Certificate, nodeId: string): boolean {
  const issued = Object.entries(certificates).find(
    ([, { certificate }]) => new X509Certificate(certificate).fingerprint256 === fingerprint256,
  );
  return issued?.[0] === nodeId;
}

function secureSite({ certificate: cert, key }: TestCertificate): SiteOptions {
  const tls = { cert, key, ca: authority.certificate };
  const secure = { ...tls, requestCert: true, rejectUnauthorized: true, minVersion: "TLSv1.3" } as const;
  return { secure, deps: { tls, verifyPeer } };
}

describe("mutual TLS", () => {
  it("carries messages both ways between nodes whose certificates are theirs", async () => {
    const addresses: Addresses = new Map();
    await using a = await startSite("a", addresses, secureSite(certificates.a));
    await using b = await startSite("b", addresses, secureSite(certificates.b));
    a.transport.send("b", [readIndex("a", "b", 1)]);
    b.transport.send("a", [readIndex("b", "a", 2)]);
    await Promise.all([a, b].map(({ handler }) => handler.until(() => handler.received.length > 0)));
    expect(a.handler.received).toEqual([readIndex("b", "a", 2)]);
    expect(b.handler.received).toEqual([readIndex("a", "b", 1)]);
  });

  it("refuses a node that claims another's id", async () => {
    const addresses: Addresses = new Map();
    await using liar = await startSite("a", addresses, secureSite(certificates.c));
    await using b = await startSite("b", addresses, secureSite(certificates.b));
    liar.transport.send("b", [readIndex("a", "b", 1)]);
    await liar.handler.until(() => liar.handler.lost.includes("b"));
    expect(liar.errors).toMatchObject([{ code: "RAFT_WRONG_NODE", peer: "b" }]);
    expect(b.errors).toMatchObject([
      { code: "RAFT_WRONG_NODE", peer: "a", message: "expected a certificate of a, got one of CN=localhost" },
    ]);
    expect(b.handler.received).toEqual([]);
  });

  it("sends nothing to a node that answers with another's certificate", async () => {
    const addresses: Addresses = new Map();
    await using a = await startSite("a", addresses, secureSite(certificates.a));
    await using liar = await startSite("b", addresses, secureSite(certificates.c));
    a.transport.send("b", [readIndex("a", "b", 1)]);
    await a.handler.until(() => a.handler.lost.includes("b"));
    expect(a.errors).toMatchObject([{ code: "RAFT_WRONG_NODE", peer: "b" }]);
    expect(liar.errors).toEqual([]);
  });

  it("refuses a certificate of another authority", async () => {
    const addresses: Addresses = new Map();
    await using a = await startSite("a", addresses, secureSite(new TestAuthority("another").issue()));
    await using b = await startSite("b", addresses, secureSite(certificates.b));
    a.transport.send("b", [readIndex("a", "b", 1)]);
    await a.handler.until(() => a.handler.lost.includes("b"));
    expect(a.errors).toMatchObject([{ code: "RAFT_UNREACHABLE", peer: "b" }]);
    expect(b.handler.received).toEqual([]);
  });

  it("with a verifier refuses a node that shows no certificate, as without TLS", async () => {
    const addresses: Addresses = new Map();
    await using a = await startSite("a", addresses);
    await using b = await startSite("b", addresses, { deps: { verifyPeer } });
    a.transport.send("b", [readIndex("a", "b", 1)]);
    await a.handler.until(() => a.handler.lost.includes("b"));
    expect(a.errors).toMatchObject([{ code: "RAFT_WRONG_NODE", peer: "b" }]);
    expect(b.handler.received).toEqual([]);
  });

  it.each([
    ["with the context of the connection", peerContext, 1],
    ["without it nobody is let in", () => createContextValues(), 0],
  ] as const)("on a router of the program: %s", async (_, contextValues, arrived) => {
    const addresses: Addresses = new Map();
    const { secure, deps } = secureSite(certificates.b);
    await using a = await startSite("a", addresses, secureSite(certificates.a));
    await using b = await openSite("b", addresses, { deps: deps! });
    await b.transport.start(b.handler);
    const routes = (router: ConnectRouter) => b.transport.routes(router);
    const handler = connectNodeAdapter({
      routes,
      contextValues: (request) => ("stream" in request ? contextValues(request) : createContextValues()),
    });
    const server = createSecureServer({ ...serverOptions, ...secure }, handler);
    server.listen(0, "127.0.0.1");
    await once(server, "listening");
    addresses.set("b", `https://127.0.0.1:${portOf(server)}`);
    a.transport.send("b", [readIndex("a", "b", 1)]);
    await Promise.race([
      b.handler.until(() => b.handler.received.length > 0),
      a.handler.until(() => a.handler.lost.length > 0),
    ]);
    expect(b.handler.received.length).toBe(arrived);
    await a.transport.stop();
    server.close();
    await once(server, "close");
  });
});
