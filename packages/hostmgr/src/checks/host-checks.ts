import type { Clock } from "../clock.ts";
import { outcomeOf } from "./check-outcome.ts";
import type { CheckScheduler, ScheduledCheck } from "./check-scheduler.ts";
import type { CheckSpec } from "./check-spec.ts";
import type { Probes } from "./probes.ts";

/** Has hosts' checks scheduled as they are described; what is described as before goes on undisturbed. */
export class HostChecks {
  readonly #scheduler: CheckScheduler;
  readonly #probes: Probes;
  readonly #clock: Clock;
  /** What each host's checks were made of. */
  readonly #made = new Map<string, string>();

  constructor(scheduler: CheckScheduler, probes: Probes, clock: Clock) {
    this.#scheduler = scheduler;
    this.#probes = probes;
    this.#clock = clock;
  }

  /** Makes a host's checks exactly these. @returns whether they are others than before */
  set(hostKey: string, specs: readonly CheckSpec[]): boolean {
    const made = JSON.stringify(specs, (name, value) => (name === "bodyMatch" ? value.pattern() : value));
    if (this.#made.get(hostKey) === made) return false;
    this.#scheduler.set(
      hostKey,
      specs.map((spec) => this.#scheduled(spec)),
    );
    this.#made.set(hostKey, made);
    return true;
  }

  delete(hostKey: string): void {
    this.#scheduler.set(hostKey, []);
    this.#made.delete(hostKey);
  }

  #scheduled(spec: CheckSpec): ScheduledCheck {
    const { checkId, intervalMs, timeoutMs } = spec;
    const run: ScheduledCheck["run"] = (signal) =>
      outcomeOf(spec, this.#probes, signal, () => this.#clock.now());
    return { checkId, intervalMs, timeoutMs, run };
  }
}
