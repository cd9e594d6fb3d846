import { once } from "node:events";
import { createClient } from "@connectrpc/connect";
import { createGrpcTransport } from "@connectrpc/connect-node";
import { Intake } from "@mon/intake";
import { Health, HealthCheckResponse_ServingStatus as ServingStatus } from "@mon/proto/grpc";
import { MemoryStore } from "@mon/store";
import { afterEach, describe, expect, it, vi } from "vitest";
import { GrpcDoor } from "../src/doors/grpc-door.ts";
import { RpcHandler } from "../src/doors/rpc-handler.ts";
import { Lifecycle } from "../src/lifecycle.ts";
import { createLogger } from "../src/logger.ts";
import { Telemetry } from "../src/observe/telemetry.ts";
import { createHealthService } from "../src/services/health-service.ts";
import { systemClock } from "../src/system-clock.ts";
import { envelope, RawConnection } from "./support/raw-call.ts";

afterEach(() => vi.useRealTimers());

/** A door with a health service, in this process, whose sweeps a test can advance. */
async function openDoor() {
  vi.useFakeTimers({ toFake: ["setInterval", "clearInterval", "performance"] });
  const store = new MemoryStore();
  await store.open();
  const lifecycle = new Lifecycle(store);
  lifecycle.serve();
  const closed = new AbortController();
  const rpc = new RpcHandler({
    routes: (router) => {
      router.service(Health, createHealthService(lifecycle, new Set()));
    },
    twinRoutes: () => {},
    messageBytesMax: 1_000_000,
    connectionBytesMax: 1_000_000,
    closed: closed.signal,
    telemetry: new Telemetry(systemClock, new Intake({ store, clock: systemClock }).counters),
    logger: createLogger("test", "silent"),
  });
  const limits = { streamsPerConnectionMax: 64, connectionsPerAddressMax: 64, connectionsMax: 64 };
  const door = new GrpcDoor(rpc, limits, undefined);
  const port = await door.listen("127.0.0.1", 0);
  return {
    lifecycle,
    url: `http://127.0.0.1:${port}`,
    async [Symbol.asyncDispose](): Promise<void> {
      closed.abort();
      door.destroy();
      await door.close();
      await store.close();
    },
  };
}

describe("RpcHandler", () => {
  it("ends a call whose message has begun and does not end", async () => {
    await using door = await openDoor();
    await using connection = await RawConnection.open(door.url);
    const stream = connection.call("/grpc.health.v1.Health/Check", "application/grpc+proto");
    stream.on("error", () => {});
    stream.write(envelope(Buffer.alloc(0), 0, 100));
    await new Promise((resolve) => connection.session.ping(resolve));
    vi.advanceTimersByTime(29_000);
    await new Promise((resolve) => connection.session.ping(resolve));
    expect(stream.closed).toBe(false);
    vi.advanceTimersByTime(10_000);
    await once(stream, "close");
  });

  it("leaves a call alone that streams answers, for as long as it likes", async () => {
    await using door = await openDoor();
    const health = createClient(Health, createGrpcTransport({ baseUrl: door.url }));
    const watch = health.watch({})[Symbol.asyncIterator]();
    expect((await watch.next()).value).toMatchObject({ status: ServingStatus.SERVING });
    vi.advanceTimersByTime(120_000);
    door.lifecycle.drain();
    expect((await watch.next()).value).toMatchObject({ status: ServingStatus.NOT_SERVING });
  });
});
