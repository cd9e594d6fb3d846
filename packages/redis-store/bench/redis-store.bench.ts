/**
 * Writes of the store against the same commands encoded before, and against plain pipelines of ioredis; bytes at rest; on a server
 * of its own. `npm run bench -w packages/redis-store`, or with a number of flushes: `-- 400`.
 */
import { startDeployment } from "../../../tools/redis/deployment.ts";
import { benchMemory } from "./memory.ts";
import { benchWrites } from "./writes.ts";

const flushes = Number(process.argv[2] ?? 200);
await using deployment = await startDeployment("standalone");
console.log(`${await benchWrites(deployment, flushes)}\n`);
console.log(await benchMemory(deployment));
