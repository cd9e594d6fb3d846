import { setTimeout as delay } from "node:timers/promises";
import { Code, ConnectError, type ServiceImpl } from "@connectrpc/connect";
import { type Health, HealthCheckResponse_ServingStatus as ServingStatus } from "@mon/proto/grpc";
import type { Lifecycle } from "../lifecycle.ts";

/** How often a watched status is looked at, in milliseconds. */
const watchIntervalMs = 500;

/** `grpc.health.v1.Health`, for the whole server (`""`) and each of its services. */
export function createHealthService(
  lifecycle: Lifecycle,
  services: ReadonlySet<string>,
): ServiceImpl<typeof Health> {
  const status = async (): Promise<ServingStatus> =>
    (await lifecycle.health()).isReady ? ServingStatus.SERVING : ServingStatus.NOT_SERVING;
  const isKnown = (service: string): boolean => service === "" || services.has(service);
  return {
    async check({ service }) {
      if (!isKnown(service))
        throw new ConnectError(`unknown service ${service.slice(0, 128)}`, Code.NotFound);
      return { status: await status() };
    },

    async *watch({ service }, context) {
      const { draining } = lifecycle;
      const waking = AbortSignal.any([context.signal, draining]);
      let told: ServingStatus | undefined;
      while (!context.signal.aborted) {
        const current = isKnown(service) ? await status() : ServingStatus.SERVICE_UNKNOWN;
        if (current !== told) yield { status: current };
        told = current;
        // A broker that stops has said so, and waits for nobody who listens.
        if (draining.aborted && told !== ServingStatus.SERVING)
          throw new ConnectError("this broker is stopping, use another", Code.Unavailable);
        await delay(watchIntervalMs, undefined, { signal: waking }).catch(() => {
          // Only the signals end the wait early; the loop sees them.
        });
      }
    },
  };
}
