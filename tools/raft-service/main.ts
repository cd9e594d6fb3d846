/**
 * One member of a replicated key-value service on `@mon/raft`, `@mon/raft-level` and `@mon/raft-connect`: what is killed,
 * paused and cut off by `npm run chaos -- raft`, and measured by `npm run bench:raft`. A tool, not a product.
 *
 *     node --conditions=@mon/source tools/raft-service/main.ts \
 *       --id a --peers a=127.0.0.1:7001,b=127.0.0.1:7002,c=127.0.0.1:7003 --listen 127.0.0.1:7101 --data /var/tmp/a
 *
 * `--peers` says where members talk to each other, `--listen` where clients are served (port 0: a free one). It prints
 * a line of JSON when it serves, `{"id":"a","listen":"127.0.0.1:7101"}`, and then what happens, on standard error.
 * SIGTERM stops it in good order. Exit code 1: its node failed in a way that trying again does not mend.
 *
 * What it speaks is in key-value.proto: gRPC in the clear, unary Put and Get with etcd's field numbers, and Exchange, a
 * stream of messages with any number of calls each, answered by number. Writes work on any member (a follower hands them to
 * the leader) and are cheapest on the leader, which Status names: `raft.leaderId`. Gets are linearizable on any member. All
 * writes of one turn of the event loop are one entry of the log. `client.ts` is a client.
 *
 *   --voters a,b,c            first members of a new cluster (default: all of --peers)
 *   --join                    wait to be added to a cluster that is there
 *   --heartbeat-ms N          default 100, also the tick
 *   --election-ms N           default 1000
 *   --proposal-timeout-ms N   default 10000
 *   --snapshot-every N        entries, default 8192
 *   --trailing N              entries kept before a snapshot, default 10240
 *   --hash-every N            entries between comparisons of state, default 1024
 *   --plant stale-get|early-ack   make a mistake on purpose
 */
import { once } from "node:events";
import { flushCompileCache } from "node:module";
import type { AddressInfo } from "node:net";
import { createDoor } from "./grpc-door.ts";
import { Member } from "./member.ts";
import { parseMemberOptions } from "./member-options.ts";
import { Service } from "./service.ts";

const options = parseMemberOptions(process.argv.slice(2));
const { id, listen, plant } = options;
const log = (line: string): void => console.error(`${new Date().toISOString()} ${id} ${line}`);
const member = new Member(options, log);
await member.start((error) => {
  log(`gave up: ${error.code} ${error.message}`);
  process.exit(1);
});
const door = createDoor(new Service(member, plant));
door.listen(listen.port, listen.host);
await once(door, "listening");
const { port } = door.address() as AddressInfo;
console.log(JSON.stringify({ id, listen: `${listen.host}:${port}` }));
// With NODE_COMPILE_CACHE; at its end a process that is killed has no time for it.
flushCompileCache();

for (const signal of ["SIGTERM", "SIGINT"]) {
  process.once(signal, () => {
    log(`stopping: ${signal}`);
    void member.stop().finally(() => process.exit(0));
  });
}
