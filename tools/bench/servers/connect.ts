/** A bare ConnectRPC server: decodes batches with protobuf-es, throws them away, and answers with their numbers. */
import { connectNodeAdapter } from "@connectrpc/connect-node";
import { MonitorService } from "@mon/proto";
import { createDoor, open } from "./door.ts";

const handle = connectNodeAdapter({
  routes: (router) => {
    router.rpc(MonitorService.method.report, async function* (batches) {
      for await (const { sequence } of batches) yield { sequence };
    });
  },
});
open(createDoor().on("request", handle));
