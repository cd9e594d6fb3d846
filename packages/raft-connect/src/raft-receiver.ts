import { crc32 } from "node:zlib";
import { Code, ConnectError, type ConnectRouter, type HandlerContext } from "@connectrpc/connect";
import {
  type ExchangeRequest,
  type ExchangeResponse,
  type InstallSnapshotRequest,
  type RaftPeer,
  RaftService,
} from "@mon/proto";
import {
  type Clock,
  type Identity,
  type NodeId,
  RaftError,
  type SnapshotMessage,
  type TransportHandler,
} from "@mon/raft";
import { decodeBatch, formatVersion } from "./batch.ts";
import { connectErrorFromFailure } from "./failure.ts";
import { assertSameCluster, assertSamePeer, identityFromPeer, peerFromIdentity } from "./identity.ts";
import { IncomingCall } from "./incoming-call.ts";
import type { ConnectTransportOptions } from "./options.ts";
import { assertCertificate, certificateKey, type PeerVerifier } from "./peer-certificate.ts";

/** What a receiver needs. */
export interface RaftReceiverDeps {
  readonly options: Required<ConnectTransportOptions>;
  readonly clock: Clock;
  readonly verifyPeer: PeerVerifier | undefined;
  /** Told of each call that was refused or failed, and of whose it was as far as it is known. */
  readonly onError: (error: RaftError, peer: NodeId | undefined) => void;
}

/** What a request must carry that begins a call. */
interface Claim {
  readonly sender?: RaftPeer | undefined;
  readonly receiverNodeId: NodeId;
  readonly format: number;
}

/** A message takes a little more than its bytes: its sender, and the tags of Protobuf. */
const requestOverheadBytes = 65_536;

/** Serves `mon.v1.RaftService` for one node: what peers send goes to the handler, once it is known who they are. */
export class RaftReceiver {
  readonly #deps: RaftReceiverDeps;
  readonly #calls = new Set<IncomingCall<unknown>>();
  /** The stream that each peer speaks on, by node id and incarnation. */
  readonly #exchanges = new Map<string, IncomingCall<unknown>>();
  #handler: TransportHandler | undefined;

  constructor(deps: RaftReceiverDeps) {
    this.#deps = deps;
  }

  /** Calls that are open. */
  get calls(): number {
    return this.#calls.size;
  }

  open(handler: TransportHandler): void {
    this.#handler = handler;
  }

  /** Ends all calls, and refuses those that come. The handler is not called any more. */
  close(): void {
    this.#handler = undefined;
    for (const call of this.#calls) call.end(new RaftError("RAFT_STOPPED", "the node is stopped"));
  }

  /** Adds the service to a router. */
  routes(router: ConnectRouter): void {
    const { maxMessageBytes, maxBatchBytes } = this.#deps.options;
    router.service(
      RaftService,
      {
        exchange: (requests, context) => this.#exchange(requests, context),
        installSnapshot: (requests, context) => this.#installSnapshot(requests, context),
      },
      {
        readMaxBytes: Math.max(maxMessageBytes, maxBatchBytes) + requestOverheadBytes,
        acceptCompression: [],
      },
    );
  }

  async *#exchange(
    requests: AsyncIterable<ExchangeRequest>,
    context: HandlerContext,
  ): AsyncGenerator<Pick<ExchangeResponse, "receiver">> {
    const call = new IncomingCall(requests, this.#deps.clock);
    let key: string | undefined;
    try {
      const handler = this.#begin(call);
      const opening = await call.next(this.#deps.options.connectTimeoutMs);
      if (opening?.content.case !== "opening") {
        throw new RaftError(
          "RAFT_MALFORMED",
          `expected an opening, got ${opening?.content.case ?? "nothing"}`,
        );
      }
      const claim = { sender: opening.sender, ...opening.content.value };
      const peer = this.#admit(call, claim, handler.identity, context);
      key = `${peer.nodeId}\n${peer.incarnation}`;
      this.#exchanges.get(key)?.end(new RaftError("RAFT_UNREACHABLE", "the peer has opened a newer stream"));
      this.#exchanges.set(key, call);
      yield { receiver: peerFromIdentity(handler.identity) };
      for (let request = await call.next(); request !== undefined; request = await call.next()) {
        deliver(request, peer, handler);
      }
    } catch (error) {
      throw this.#refused(error, call);
    } finally {
      this.#calls.delete(call);
      if (key !== undefined && this.#exchanges.get(key) === call) this.#exchanges.delete(key);
    }
  }

  async #installSnapshot(
    requests: AsyncIterable<InstallSnapshotRequest>,
    context: HandlerContext,
  ): Promise<Record<string, never>> {
    const { clock, options } = this.#deps;
    const call = new IncomingCall(requests, clock);
    try {
      const handler = this.#begin(call);
      const first = await call.next(options.connectTimeoutMs);
      if (first?.part.case !== "header") {
        throw new RaftError("RAFT_MALFORMED", `expected a header, got ${first?.part.case ?? "nothing"}`);
      }
      const header = first.part.value;
      const peer = this.#admit(call, header, handler.identity, context);
      const message = snapshotMessage(header.message, peer.nodeId, handler.identity.nodeId);
      await handler.receiveSnapshot(peer, message, chunksOf(call, options.snapshotStallMs));
      return {};
    } catch (error) {
      throw this.#refused(error, call);
    } finally {
      this.#calls.delete(call);
    }
  }

  #begin(call: IncomingCall<unknown>): TransportHandler {
    const { maxInboundCalls } = this.#deps.options;
    if (this.#handler === undefined) throw new RaftError("RAFT_STOPPED", "the node is stopped");
    if (this.#calls.size >= maxInboundCalls) {
      throw new RaftError("RAFT_OVERLOADED", `expected at most ${maxInboundCalls} calls at a time`);
    }
    this.#calls.add(call);
    return this.#handler;
  }

  #admit(call: IncomingCall<unknown>, claim: Claim, own: Identity, context: HandlerContext): Identity {
    if (claim.format !== formatVersion) {
      throw new RaftError(
        "RAFT_MALFORMED",
        `expected messages of format ${formatVersion}, got ${claim.format}`,
      );
    }
    const peer = identityFromPeer(claim.sender);
    call.peer = peer.nodeId;
    assertSameCluster(own, peer);
    if (claim.receiverNodeId !== own.nodeId) {
      throw new RaftError(
        "RAFT_WRONG_NODE",
        `expected a call to ${own.nodeId}, got one to ${claim.receiverNodeId}`,
      );
    }
    if (peer.nodeId === own.nodeId) {
      throw new RaftError("RAFT_WRONG_NODE", `expected another node than ${own.nodeId}`);
    }
    assertCertificate(this.#deps.verifyPeer, context.values.get(certificateKey), peer.nodeId);
    return peer;
  }

  #refused(error: unknown, { peer }: IncomingCall<unknown>): ConnectError {
    const refusal = connectErrorFromFailure(error);
    // A connection that broke is no refusal; its other end has its own view of it.
    const isBroken = refusal.code === Code.Aborted || refusal.code === Code.Canceled;
    if (this.#handler !== undefined && !isBroken) {
      const told =
        error instanceof ConnectError
          ? new RaftError("RAFT_MALFORMED", error.message, { cause: error })
          : RaftError.from(error);
      this.#deps.onError(told, peer);
    }
    return refusal;
  }
}

function deliver({ sender, content }: ExchangeRequest, peer: Identity, handler: TransportHandler): void {
  assertSamePeer(peer, sender);
  if (content.case !== "batch") {
    throw new RaftError("RAFT_MALFORMED", `expected a batch, got ${content.case ?? "nothing"}`);
  }
  const messages = decodeBatch(content.value, peer.nodeId, handler.identity.nodeId);
  if (messages.some(({ type }) => type === "snapshot")) {
    throw new RaftError(
      "RAFT_MALFORMED",
      "expected a snapshot to come with its bytes, got its message alone",
    );
  }
  handler.receive(peer, messages);
}

function snapshotMessage(batch: Uint8Array, from: NodeId, to: NodeId): SnapshotMessage {
  const [message, ...others] = decodeBatch(batch, from, to);
  if (message?.type === "snapshot" && others.length === 0) return message;
  throw new RaftError("RAFT_MALFORMED", "expected a header with the message of a snapshot, and nothing else");
}

/**
 * The bytes of a snapshot. Ends only when the sender said that this was all.
 *
 * @throws {RaftError} RAFT_SNAPSHOT_CORRUPT when a chunk is missing or damaged
 */
async function* chunksOf(
  call: IncomingCall<InstallSnapshotRequest>,
  stallMs: number,
): AsyncGenerator<Uint8Array, void, undefined> {
  let offset = 0n;
  for (;;) {
    const part = (await call.next(stallMs))?.part;
    switch (part?.case) {
      case "chunk": {
        const { data, crc32: sum } = part.value;
        if (part.value.offset !== offset || crc32(data) !== sum) {
          throw new RaftError("RAFT_SNAPSHOT_CORRUPT", `expected a sound chunk at ${offset}, got another`);
        }
        offset += BigInt(data.byteLength);
        yield data;
        break;
      }
      case "end":
        if (part.value.sizeBytes === offset) return;
        throw new RaftError("RAFT_SNAPSHOT_CORRUPT", `expected ${part.value.sizeBytes} bytes, got ${offset}`);
      default:
        throw new RaftError("RAFT_MALFORMED", `expected a chunk or the end, got ${part?.case ?? "nothing"}`);
    }
  }
}
