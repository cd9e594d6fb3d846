import type { MetricStore } from "@mon/store";
import { type SetupOptions, storeConformance } from "@mon/store/conformance";
import { afterAll, beforeAll, describe } from "vitest";
import {
  type DeploymentKind,
  type RedisDeployment,
  startDeployment,
} from "../../../tools/redis/deployment.ts";
import { RedisStore, type RedisStoreOptions } from "../src/index.ts";
import { optionsOf } from "./support/servers.ts";

/** What a store was made with, for it to be opened again. */
const origins = new WeakMap<MetricStore, { options: RedisStoreOptions; deployment: RedisDeployment }>();
let prefixes = 0;

function conformance(
  kind: DeploymentKind,
  name: string,
  options: RedisStoreOptions,
  histories: number,
): void {
  let deployment: RedisDeployment;
  beforeAll(async () => {
    deployment = await startDeployment(kind);
  }, 60_000);
  afterAll(async () => {
    await deployment.stop();
  });

  const open = async (all: RedisStoreOptions): Promise<MetricStore> => {
    const store = new RedisStore({ servers: optionsOf(deployment), now: Date.now, options: all });
    await store.open();
    origins.set(store, { options: all, deployment });
    return store;
  };

  storeConformance(name, {
    // Samples are of any time, so nothing may expire.
    setup: (setup: SetupOptions = {}) =>
      open({ ...options, ...setup, retentionMs: Number.POSITIVE_INFINITY, prefix: `t${prefixes++}` }),
    reopen: async (store) => {
      await store.close();
      return open(origins.get(store)!.options);
    },
    seed: Number(process.env.SEED ?? 1),
    histories,
  });
}

const isFull = process.env.MON_TEST === "full";
const only = process.env.MON_REDIS;

const subjects: readonly (readonly [DeploymentKind, string, RedisStoreOptions, number])[] = [
  ["standalone", "RedisStore on one server", {}, 5],
  ["standalone", "RedisStore with a key for each instant", { bucketMs: 1 }, 2],
  ["sentinel", "RedisStore under sentinels", { copies: 3 }, 1],
  ["cluster", "RedisStore in a cluster", { copies: 2 }, 2],
];
for (const [kind, name, options, histories] of subjects) {
  if (only !== undefined && !name.includes(only)) continue;
  describe(name, () => conformance(kind, name, options, isFull ? 100 : histories));
}
