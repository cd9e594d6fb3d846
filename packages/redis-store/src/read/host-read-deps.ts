import type { KeySpace } from "../keys/key-space.ts";
import type { Servers } from "../servers/servers.ts";

/** What reading a host needs. */
export interface HostReadDeps {
  readonly servers: Servers;
  readonly keys: KeySpace;
}
