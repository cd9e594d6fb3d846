import type { Clock } from "./clock.ts";
import { ReplicationError } from "./errors.ts";
import type { PeerReply } from "./peer.ts";
import type { RingBook } from "./ring-book.ts";

/** Calls, and rejects when no reply came in time; one that comes later is dropped. */
export function callWithin<Value>(
  clock: Clock,
  timeoutMs: number,
  call: () => Promise<Value>,
): Promise<Value> {
  return new Promise((resolve, reject) => {
    const timer = clock.setTimeout(() => {
      reject(
        new ReplicationError("REPLICATION_PEER_SILENT", `expected a reply in ${timeoutMs} ms, got none`),
      );
    }, timeoutMs);
    // An unknown peer is one that does not answer.
    const reply = (async () => call())();
    reply.then(
      (value) => {
        timer.cancel();
        resolve(value);
      },
      (error: unknown) => {
        timer.cancel();
        reject(ReplicationError.from(error));
      },
    );
  });
}

/** The value of a reply. Learns the rings that a peer tells. @throws {ReplicationError} when there is none */
export function valueIn<Value>(reply: PeerReply<Value>, book: RingBook): Value {
  switch (reply.status) {
    case "ok":
      return reply.value;
    case "wrongEpoch":
      book.learn(reply.rings);
      throw new ReplicationError(
        "REPLICATION_WRONG_EPOCH",
        `expected the epoch ${reply.epoch}, sent an older`,
      );
    case "unavailable":
      throw new ReplicationError("REPLICATION_PEER_UNAVAILABLE", reply.reason);
    default:
      return reply satisfies never;
  }
}
