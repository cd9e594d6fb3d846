import { Deframer } from "../raft-service/grpc-framing.ts";
import { decodeAnswers, encodeRequest } from "../raft-service/wire.ts";
import { Http2Link, requestHead } from "./http2-link.ts";

/** A way to put something into a server. */
export interface Door {
  /** Puts a value; tells whether it was acknowledged. Never throws. */
  put(put: Uint8Array, done: (ok: boolean) => void): void;
  close(): void;
}

/** Paths of calls that take etcd's `PutRequest`. */
export const putPaths = {
  etcd: "/etcdserverpb.KV/Put",
  mon: "/mon.tools.keyvalue.v1.KeyValue/Put",
} as const;

const exchangeHead = requestHead("/mon.tools.keyvalue.v1.KeyValue/Exchange");

/** Calls on one connection: well within the window of 64 KiB that a server begins with. */
const callsPerLink = 128;

/** Unary calls, over as many connections as so many concurrent ones need. */
export async function openUnaryDoor(port: number, path: string, concurrency: number): Promise<Door> {
  const count = Math.ceil(concurrency / callsPerLink);
  const links = await Promise.all(Array.from({ length: count }, () => Http2Link.open(port)));
  const head = requestHead(path);
  let next = 0;
  return {
    put: (put, done) => {
      const link = links[next++ % links.length]!;
      let hasMessage = false;
      const id = link.open(head, {
        // A call that fails has trailers and no message.
        data: (bytes) => {
          hasMessage ||= bytes.length > 0;
        },
        end: (ok) => done(ok && hasMessage),
      });
      link.send(id, put, true);
    },
    close: () => {
      for (const link of links) link.close();
    },
  };
}

/** One stream; all puts of a turn of the event loop are one message. */
export async function openStreamDoor(port: number): Promise<Door> {
  const link = await Http2Link.open(port);
  const waiting = new Map<number, (ok: boolean) => void>();
  const deframer = new Deframer(16 << 20);
  let requests: Uint8Array[] = [];
  let lastNumber = 0;
  const id = link.open(exchangeHead, {
    data: (bytes) => {
      // The pieces of a message that is not whole yet are kept.
      for (const message of deframer.push(Buffer.from(bytes))) {
        for (const { error, number } of decodeAnswers(message)) {
          const done = waiting.get(number);
          waiting.delete(number);
          done?.(error === undefined);
        }
      }
    },
    end: () => {
      const all = [...waiting.values()];
      waiting.clear();
      for (const done of all) done(false);
    },
  });
  return {
    put: (put, done) => {
      const number = ++lastNumber;
      waiting.set(number, done);
      if (requests.length === 0) {
        queueMicrotask(() => {
          link.send(id, Buffer.concat(requests), false);
          requests = [];
        });
      }
      requests.push(encodeRequest(number, "put", put));
    },
    close: () => link.close(),
  };
}
