/** The floor: HTTP/2 by `node:http2`, messages only counted by their length prefixes, an empty answer to each. */
import type { ServerHttp2Stream } from "node:http2";
import { createDoor, open } from "./door.ts";

const prefixBytes = 5;

/** Finds where messages end, without looking into them. */
class MessageCounter {
  #prefix = Buffer.alloc(prefixBytes);
  #prefixFilled = 0;
  /** Bytes of the message under way that are still to come. */
  #bodyLeft = 0;

  /** @returns how many messages ended in a chunk */
  count(chunk: Buffer): number {
    let messages = 0;
    let position = 0;
    while (position < chunk.length) {
      if (this.#prefixFilled < prefixBytes) {
        const copied = chunk.copy(this.#prefix, this.#prefixFilled, position);
        this.#prefixFilled += copied;
        position += copied;
        if (this.#prefixFilled < prefixBytes) break;
        this.#bodyLeft = this.#prefix.readUInt32BE(1);
      }
      const skipped = Math.min(this.#bodyLeft, chunk.length - position);
      this.#bodyLeft -= skipped;
      position += skipped;
      if (this.#bodyLeft > 0) break;
      this.#prefixFilled = 0;
      messages++;
    }
    return messages;
  }
}

function serve(stream: ServerHttp2Stream): void {
  const counter = new MessageCounter();
  stream.respond({ ":status": 200, "content-type": "application/grpc+proto" });
  stream.on("data", (chunk: Buffer) => {
    const messages = counter.count(chunk);
    if (messages > 0) stream.write(Buffer.alloc(messages * prefixBytes));
  });
  stream.on("end", () => stream.end());
  // The client's end of a stream, however it comes, ends nothing else.
  stream.on("error", () => {});
}

open(createDoor().on("stream", serve));
