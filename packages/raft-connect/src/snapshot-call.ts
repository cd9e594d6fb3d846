import { crc32 } from "node:zlib";
import type { MessageInitShape } from "@bufbuild/protobuf";
import { createClient } from "@connectrpc/connect";
import { type InstallSnapshotRequestSchema, RaftService } from "@mon/proto";
import type { SnapshotMessage } from "@mon/raft";
import { encodeBatch, formatVersion } from "./batch.ts";
import { raftErrorFromCall } from "./failure.ts";
import { peerFromIdentity } from "./identity.ts";
import type { PeerDeps } from "./outgoing-exchange.ts";
import { PeerConnection } from "./peer-connection.ts";

type Request = MessageInitShape<typeof InstallSnapshotRequestSchema>;

/**
 * Sends a snapshot on a connection of its own; its chunks are read as fast as the peer takes them.
 *
 * @throws {RaftError} the peer's refusal, or RAFT_UNREACHABLE
 * @throws what reading `chunks` threw, and the reason of `signal` when it fires
 */
export async function callInstallSnapshot(
  deps: PeerDeps,
  message: SnapshotMessage,
  chunks: AsyncIterable<Uint8Array>,
  signal: AbortSignal,
): Promise<void> {
  signal.throwIfAborted();
  const source: Source = { chunks, failure: undefined };
  const requests = parts(deps, message, source);
  let connection: PeerConnection | undefined;
  try {
    connection = await PeerConnection.open({ ...deps, signal });
    await createClient(RaftService, connection.transport).installSnapshot(requests, { signal });
  } catch (error) {
    signal.throwIfAborted();
    if (source.failure !== undefined) throw source.failure.error;
    throw raftErrorFromCall(error, deps.peer);
  } finally {
    // Lets go of the chunks where the peer did not want them all. Their reader may hang, and how it ends is of no use.
    requests.return(undefined).catch(() => {});
    await connection?.close();
  }
}

/** The chunks, and how reading them failed: Connect would only tell that the call did. */
interface Source {
  readonly chunks: AsyncIterable<Uint8Array>;
  failure: { readonly error: unknown } | undefined;
}

async function* parts(
  { identity, options, peer }: PeerDeps,
  message: SnapshotMessage,
  source: Source,
): AsyncGenerator<Request, void, undefined> {
  const header = {
    sender: peerFromIdentity(identity),
    receiverNodeId: peer,
    format: formatVersion,
    message: encodeBatch([message]),
  };
  yield { part: { case: "header", value: header } };
  let offset = 0;
  for await (const chunk of watched(source)) {
    for (let from = 0; from < chunk.byteLength; from += options.snapshotChunkBytes) {
      const data = chunk.subarray(from, from + options.snapshotChunkBytes);
      yield { part: { case: "chunk", value: { offset: BigInt(offset), data, crc32: crc32(data) } } };
      offset += data.byteLength;
    }
  }
  yield { part: { case: "end", value: { sizeBytes: BigInt(offset) } } };
}

/** The chunks; takes note when reading them fails, and not when somebody else's failure ends the reading. */
async function* watched(source: Source): AsyncGenerator<Uint8Array, void, undefined> {
  const iterator = source.chunks[Symbol.asyncIterator]();
  try {
    for (;;) {
      const next = await iterator.next().catch((error: unknown) => {
        source.failure = { error };
        throw error;
      });
      if (next.done === true) return;
      yield next.value;
    }
  } finally {
    await iterator.return?.();
  }
}
