/**
 * A member as a program runs it: a process with a node, a disk and a server with mutual TLS. Its parent tells it who it is and
 * where the others are, and calls it, over the channel that Node gives a child.
 */
import { once } from "node:events";
import { createSecureServer } from "node:http2";
import type { AddressInfo } from "node:net";
import { type Clock, type Entry, type FSM, RaftError, RaftNode } from "@mon/raft";
import { ConnectTransport, serverOptions } from "@mon/raft-connect";
import { LevelStorage } from "@mon/raft-level";

/** What a member is told first. */
export interface MemberSetup {
  readonly id: string;
  readonly voters: readonly string[];
  readonly directory: string;
  readonly certificate: string;
  readonly key: string;
  readonly authority: string;
  /** The fingerprint of each member's certificate. */
  readonly fingerprints: Readonly<Record<string, string>>;
}

/** What a member is told afterwards. */
export type MemberRequest =
  | { readonly addresses: Readonly<Record<string, string>> }
  | { readonly call: number; readonly propose: string }
  | { readonly call: number; readonly read: true }
  | { readonly call: number; readonly status: true };

/** What a member says. */
export type MemberReport =
  | { readonly port: number }
  | { readonly started: true }
  | { readonly refused: string; readonly peer: string | undefined }
  | { readonly call: number; readonly value: unknown }
  | { readonly call: number; readonly code: string };

class Words implements FSM<number> {
  list: string[] = [];

  apply(entries: readonly Entry[]): number[] {
    return entries.map(({ data }) => this.list.push(Buffer.from(data).toString()));
  }

  snapshot(): { chunks: () => Uint8Array[] } {
    const image = Buffer.from(JSON.stringify(this.list));
    return { chunks: () => [image] };
  }

  async restore(chunks: AsyncIterable<Uint8Array>): Promise<void> {
    const pieces: Uint8Array[] = [];
    for await (const piece of chunks) pieces.push(piece);
    this.list = JSON.parse(Buffer.concat(pieces).toString()) as string[];
  }

  hash(): string {
    return this.list.join();
  }
}

const clock: Clock = {
  now: () => Date.now(),
  setTimeout: (callback, ms) => ({ cancel: clearTimeout.bind(undefined, setTimeout(callback, ms)) }),
  setImmediate: (callback) => ({ cancel: clearImmediate.bind(undefined, setImmediate(callback)) }),
};
const random = { next: Math.random };

function report(message: MemberReport): void {
  process.send!(message);
}

const [setup] = (await once(process, "message")) as [MemberSetup];
const { id, voters, directory, certificate, key, authority, fingerprints } = setup;
const addresses = new Map<string, string>();
const tls = { cert: certificate, key, ca: authority, minVersion: "TLSv1.3" } as const;
const server = createSecureServer({ ...serverOptions, ...tls, requestCert: true, rejectUnauthorized: true });
const transport = new ConnectTransport({
  addressOf: (peer) => addresses.get(peer),
  tls,
  verifyPeer: ({ fingerprint256 }, peer) => fingerprints[peer] === fingerprint256,
  onError: ({ code }, peer) => report({ refused: code, peer }),
  clock,
  random,
});
transport.mount(server);
const { log, stable, snapshots } = new LevelStorage({ directory });
const fsm = new Words();
const node = new RaftNode<number>(
  {
    id,
    clusterId: "processes",
    bootstrap: { voters },
    ...{ tickMs: 50, heartbeatMs: 50, electionTimeoutMs: 500 },
    ...{ snapshotEveryEntries: 10, trailingEntries: 5, hashEveryEntries: 4 },
  },
  { fsm, log, stable, snapshots, transport, clock, random },
);

async function answer(request: Exclude<MemberRequest, { addresses: unknown }>): Promise<unknown> {
  if ("propose" in request) return await node.propose(Buffer.from(request.propose));
  if ("read" in request) return await node.read(() => [...fsm.list]);
  const { role, term, leaderId } = node.status();
  return { role, term, leaderId, snapshotsInstalled: node.metrics.snapshotsInstalled };
}

process.on("message", (request: MemberRequest) => {
  if ("addresses" in request) {
    for (const [peer, address] of Object.entries(request.addresses)) addresses.set(peer, address);
    return;
  }
  answer(request).then(
    (value) => report({ call: request.call, value }),
    (error) => report({ call: request.call, code: RaftError.from(error).code }),
  );
});
// A member does not outlive the test that started it.
process.on("disconnect", () => process.exit());

server.listen(0, "127.0.0.1");
await once(server, "listening");
// A TCP server's address is never a pipe's.
report({ port: (server.address() as AddressInfo).port });
await node.start();
report({ started: true });
