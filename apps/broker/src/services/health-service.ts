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
  closed: AbortSignal,
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
      const signal = AbortSignal.any([context.signal, closed]);
      let told: ServingStatus | undefined;
      while (!signal.aborted) {
        const current = isKnown(service) ? await status() : ServingStatus.SERVICE_UNKNOWN;
        if (current !== told) yield { status: current };
        told = current;
        await Promise.race([
          delay(watchIntervalMs, undefined, { signal }),
          once(lifecycle.draining, told),
        ]).catch(() => {
          // Only the signal ends the wait early; the loop sees it.
        });
      }
    },
  };
}

/** Resolves when the broker begins to drain; never when it has been told already. */
function once(draining: AbortSignal, told: ServingStatus): Promise<void> {
  return new Promise((resolve) => {
    if (draining.aborted && told !== ServingStatus.NOT_SERVING) resolve();
    else draining.addEventListener("abort", () => resolve(), { once: true });
  });
}
