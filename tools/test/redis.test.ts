import { Cluster, Redis } from "ioredis";
import { expect, test } from "vitest";
import { startDeployment } from "../redis/deployment.ts";

test("a standalone server answers, comes back empty after a kill, and is gone after stop", async () => {
  await using deployment = await startDeployment("standalone");
  const [server] = deployment.servers;
  const redis = new Redis({ port: server!.port, lazyConnect: true });
  try {
    expect(await redis.set("a", "1")).toBe("OK");
    await server!.kill();
    await server!.start();
    expect(await redis.get("a")).toBe(null);
  } finally {
    redis.disconnect();
  }
  await deployment.stop();
  expect(server!.isRunning).toBe(false);
});

test("sentinels fail over when the primary is killed", async () => {
  await using deployment = await startDeployment("sentinel", { downAfterMs: 500 });
  const sentinels = deployment.sentinels.map(({ port }) => ({ host: "127.0.0.1", port }));
  const redis = new Redis({ sentinels, name: deployment.masterName!, maxRetriesPerRequest: null });
  try {
    expect(await redis.set("a", "1")).toBe("OK");
    expect(await redis.call("WAIT", 2, 5000)).toBe(2);
    await deployment.servers[0]!.kill();
    expect(await redis.get("a")).toBe("1");
  } finally {
    redis.disconnect();
  }
});

test("a cluster has three primaries that cover all slots, each with a replica", async () => {
  await using deployment = await startDeployment("cluster");
  const cluster = new Cluster(deployment.servers.map(({ port }) => ({ host: "127.0.0.1", port })));
  try {
    for (let i = 0; i < 20; i++) expect(await cluster.set(`key-${i}`, i)).toBe("OK");
    const nodes = (await cluster.nodes()[0]!.call("CLUSTER", "NODES")) as string;
    expect(nodes.match(/ (myself,)?master - /g)).toHaveLength(3);
    expect(nodes.match(/ (myself,)?slave /g)).toHaveLength(3);
  } finally {
    cluster.disconnect();
  }
});
