/**
 * Transport for `@mon/raft`: `mon.v1.RaftService` over ConnectRPC and HTTP/2. One long-lived stream carries the messages
 * from one node to another; snapshots have connections of their own.
 *
 * {@link ConnectTransport} is both sides: it connects to peers, and serves them on an HTTP/2 server that the program
 * gives it.
 *
 * @packageDocumentation
 */

export {
  ConnectTransport,
  type ConnectTransportDeps,
  type LinkStatus,
} from "./connect-transport.ts";
export { type ConnectTransportOptions, defaults, resolveOptions } from "./options.ts";
export { type PeerVerifier, peerContext } from "./peer-certificate.ts";
export { serverOptions } from "./server-sessions.ts";
