import { createPrivateKey } from "node:crypto";
import { readFileSync } from "node:fs";
import { createSecureContext } from "node:tls";
import { type BrokerConfig, ConfigError } from "@mon/config";
import type { TlsFiles } from "./doors/grpc-door.ts";

/**
 * Reads the certificate of the doors and its key, and checks that they go together.
 *
 * @returns undefined when there is to be no TLS
 * @throws {ConfigError} that names the key whose file cannot be used
 */
export function readTlsFiles({ tls }: Pick<BrokerConfig, "tls">): TlsFiles | undefined {
  if (tls.certFile === undefined || tls.keyFile === undefined) return undefined;
  const cert = readPem("tls.certFile", tls.certFile);
  const key = readPem("tls.keyFile", tls.keyFile);
  assertUsable("tls.certFile", tls.certFile, "a file of certificates in PEM", () =>
    createSecureContext({ cert }),
  );
  assertUsable("tls.keyFile", tls.keyFile, "a file of a private key in PEM", () => createPrivateKey(key));
  assertUsable("tls.keyFile", tls.keyFile, "the private key of tls.certFile", () =>
    createSecureContext({ cert, key }),
  );
  return { cert, key };
}

function readPem(path: string, file: string): Buffer {
  try {
    return readFileSync(file);
  } catch (cause) {
    throw unusable(path, file, "a file that can be read", cause);
  }
}

function assertUsable(path: string, file: string, expected: string, use: () => unknown): void {
  try {
    use();
  } catch (cause) {
    throw unusable(path, file, expected, cause);
  }
}

function unusable(path: string, file: string, expected: string, cause: unknown): ConfigError {
  const value = cause instanceof Error ? cause.message : String(cause);
  return new ConfigError([{ path, value, expected, origin: "file", source: file }]);
}
