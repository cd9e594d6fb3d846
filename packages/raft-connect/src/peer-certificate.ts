import type { X509Certificate } from "node:crypto";
import type { Http2ServerRequest, Http2Session } from "node:http2";
import type { TLSSocket } from "node:tls";
import {
  type ContextKey,
  type ContextValues,
  createContextKey,
  createContextValues,
} from "@connectrpc/connect";
import { type NodeId, RaftError } from "@mon/raft";

/**
 * Says whether a certificate is that of a node. It is verified already to come from a trusted authority; what names a
 * node in it is the program's choice.
 *
 * Asked on both sides: of who connects, for the id that it claims; and of who was connected to, for the id that was meant.
 */
export type PeerVerifier = (certificate: X509Certificate, nodeId: NodeId) => boolean;

/** The certificate that the peer of a connection has shown, if any. */
export const certificateKey: ContextKey<X509Certificate | undefined> = createContextKey<
  X509Certificate | undefined
>(undefined, { description: "the certificate of the peer" });

/**
 * What a call needs to know of its connection. Give it to Connect as `contextValues` where you mount the routes on a
 * router of your own; {@link ConnectTransport.mount} does so itself.
 */
export function peerContext(request: Pick<Http2ServerRequest, "stream">): ContextValues {
  // A stream whose session is gone already has none.
  const { session } = request.stream;
  return createContextValues().set(certificateKey, session && certificateOf(session));
}

/** The certificate of the other side; undefined when it has shown none, as without TLS, or is gone. */
export function certificateOf(session: Http2Session): X509Certificate | undefined {
  if (session.destroyed || session.encrypted !== true) return undefined;
  // The socket of an encrypted session is one of TLS.
  return (session.socket as TLSSocket).getPeerX509Certificate();
}

/** @throws {RaftError} RAFT_WRONG_NODE when there is a verifier and the certificate does not satisfy it */
export function assertCertificate(
  verifier: PeerVerifier | undefined,
  certificate: X509Certificate | undefined,
  nodeId: NodeId,
): void {
  if (verifier === undefined) return;
  if (certificate === undefined) {
    throw new RaftError("RAFT_WRONG_NODE", `expected a certificate of ${nodeId}, got none`);
  }
  if (verifier(certificate, nodeId)) return;
  throw new RaftError(
    "RAFT_WRONG_NODE",
    `expected a certificate of ${nodeId}, got one of ${certificate.subject?.replaceAll("\n", ", ")}`,
  );
}
