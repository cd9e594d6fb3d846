/** Answers each piece of a stream with a few bytes, by bare node:http2, as a gRPC server without any work would. Prints its port. */
import { createServer } from "node:http2";
import type { AddressInfo } from "node:net";

const answer = Buffer.alloc(16);
const server = createServer();
server.on("stream", (stream) => {
  stream.on("error", () => {});
  stream.respond({ ":status": 200, "content-type": "application/grpc" });
  stream.on("data", () => stream.write(answer));
});
server.listen(0, "127.0.0.1", () => console.log((server.address() as AddressInfo).port));
process.once("SIGTERM", () => process.exit(0));
