import { type Client, createClient } from "@connectrpc/connect";
import { createGrpcTransport } from "@connectrpc/connect-node";
import { PeerService } from "@mon/proto";
import { PeerSession } from "./peer-session.ts";
import { checkPeer, type PeerTls } from "./peer-tls.ts";

interface Connection {
  readonly address: string;
  readonly session: PeerSession;
  readonly client: Client<typeof PeerService>;
}

/** Connections to the peer doors of other brokers, one each. */
export class PeerClients {
  readonly #tls: PeerTls | undefined;
  readonly #connections = new Map<string, Connection>();

  constructor(tls: PeerTls | undefined) {
    this.#tls = tls;
  }

  /** The connection to a member, made when it is first used, and made anew when the member has moved. */
  of(nodeId: string, address: string): Client<typeof PeerService> {
    const known = this.#connections.get(nodeId);
    if (known?.address === address) return known.client;
    known?.session.close();
    const made = this.#connect(address, nodeId);
    this.#connections.set(nodeId, made);
    return made.client;
  }

  /** Makes one call to a door whose broker is not known yet. */
  async once<Answer>(
    address: string,
    call: (client: Client<typeof PeerService>) => Promise<Answer>,
  ): Promise<Answer> {
    const { client, session } = this.#connect(address);
    try {
      return await call(client);
    } finally {
      session.close();
    }
  }

  /** Lets go of all but these. */
  retain(nodeIds: ReadonlySet<string>): void {
    for (const [nodeId, { session }] of this.#connections) {
      if (nodeIds.has(nodeId)) continue;
      session.close();
      this.#connections.delete(nodeId);
    }
  }

  #connect(address: string, nodeId?: string): Connection {
    const baseUrl = `${this.#tls === undefined ? "http" : "https"}://${address}`;
    const session = new PeerSession(baseUrl, {
      ...this.#tls,
      minVersion: "TLSv1.3",
      ...(nodeId !== undefined && { checkServerIdentity: checkPeer(nodeId) }),
    });
    const transport = createGrpcTransport({ baseUrl, sessionManager: session });
    return { address, session, client: createClient(PeerService, transport) };
  }
}
