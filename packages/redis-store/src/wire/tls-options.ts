import type { SecureContextOptions } from "node:tls";

/** How to encrypt: certificates and keys as `tls.connect` takes them. */
export interface TlsOptions
  extends Pick<SecureContextOptions, "ca" | "cert" | "key" | "passphrase" | "minVersion"> {
  /** The name that the server's certificate must have; by default the host that is connected to. */
  readonly servername?: string;
}
