import { X509Certificate } from "node:crypto";
import { readFileSync } from "node:fs";
import { checkServerIdentity, createSecureContext, type PeerCertificate } from "node:tls";
import { type BrokerConfig, ConfigError } from "@mon/config";

/** Certificate, key and authorities of a broker among brokers, PEM. */
export interface PeerTls {
  readonly cert: Buffer;
  readonly key: Buffer;
  readonly ca: Buffer;
}

/** What names a broker in its certificate, as a subject alternative name. */
function nameOf(nodeId: string): string {
  return `URI:spiffe://mon/broker/${nodeId}`;
}

/** Whether the subject alternative names of a certificate, as Node prints them, name a broker. */
export function namesBroker(subjectAltName: string | undefined, nodeId: string): boolean {
  return (subjectAltName ?? "").split(", ").includes(nameOf(nodeId));
}

/** Checks of a TLS server that it is the host, and the broker, that was meant; as the option of `tls.connect`. */
export function checkPeer(nodeId: string) {
  return (host: string, certificate: PeerCertificate): Error | undefined => {
    const error = checkServerIdentity(host, certificate);
    if (error !== undefined || namesBroker(certificate.subjectaltname, nodeId)) return error;
    return new Error(`expected the certificate of ${nodeId}, got that of ${certificate.subjectaltname}`);
  };
}

/**
 * Reads what a broker shows other brokers.
 *
 * @returns undefined when there is to be no TLS between brokers
 * @throws {ConfigError} that names the key whose file cannot be used
 */
export function readPeerTls({
  nodeId,
  cluster,
}: Pick<BrokerConfig, "nodeId" | "cluster">): PeerTls | undefined {
  const { certFile, keyFile, caFile } = cluster.tls;
  if (certFile === undefined || keyFile === undefined || caFile === undefined) return undefined;
  const cert = use("cluster.tls.certFile", certFile, "a file of certificates in PEM", (pem) =>
    createSecureContext({ cert: pem }),
  );
  const key = use("cluster.tls.keyFile", keyFile, "the private key of cluster.tls.certFile in PEM", (pem) =>
    createSecureContext({ cert, key: pem }),
  );
  const ca = use("cluster.tls.caFile", caFile, "a file of certificates in PEM", (pem) => {
    new X509Certificate(pem);
  });
  use("cluster.tls.certFile", certFile, `a certificate that names ${nameOf(nodeId)}`, (pem) => {
    const { subjectAltName } = new X509Certificate(pem);
    if (!namesBroker(subjectAltName, nodeId)) throw new Error(subjectAltName ?? "one without names");
  });
  return { cert, key, ca };
}

function use(path: string, file: string, expected: string, check: (pem: Buffer) => unknown): Buffer {
  try {
    const pem = readFileSync(file);
    check(pem);
    return pem;
  } catch (cause) {
    const value = cause instanceof Error ? cause.message : String(cause);
    throw new ConfigError([{ path, value, expected, origin: "file", source: file }]);
  }
}
