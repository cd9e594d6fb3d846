import type { Servers } from "../../src/servers/servers.ts";

/** A call that waits to be let through. */
interface Waiting {
  readonly actor: number;
  readonly go: () => Promise<void>;
}

/**
 * Lets calls of several actors on one deployment through one at a time, in an order that the test chooses: each round
 * trip of real code on a real server is a step. An actor that is never let through again has crashed.
 */
export class Gate {
  readonly #waiting: Waiting[] = [];
  #wake: (() => void) | undefined;

  /** The same servers, for one actor. */
  for(actor: number, servers: Servers): Servers {
    const gated = <T>(call: () => Promise<T>): Promise<T> =>
      new Promise((resolve, reject) => {
        this.#waiting.push({ actor, go: () => call().then(resolve, reject) });
        this.#wake?.();
      });
    return new Proxy(servers, {
      get: (target, name) => {
        if (name === "send")
          return (...args: Parameters<Servers["send"]>) => gated(() => target.send(...args));
        if (name === "read")
          return (...args: Parameters<Servers["read"]>) => gated(() => target.read(...args));
        const value: unknown = Reflect.get(target, name, target);
        return typeof value === "function" ? value.bind(target) : value;
      },
    });
  }

  /**
   * Lets calls through until all actors have settled or crashed.
   *
   * @param choose - which of some actors goes next, by place
   * @param crashes - steps after which an actor is let through no more
   */
  async run(
    actors: readonly Promise<unknown>[],
    choose: (count: number) => number,
    crashes: ReadonlyMap<number, number>,
  ): Promise<void> {
    const steps = actors.map(() => 0);
    const settled = new Set<number>();
    for (const [actor, work] of actors.entries()) {
      const done = (): void => {
        settled.add(actor);
        this.#wake?.();
      };
      work.then(done, done);
    }
    const isCrashed = (actor: number): boolean =>
      steps[actor]! >= (crashes.get(actor) ?? Number.POSITIVE_INFINITY);
    for (;;) {
      const live = actors
        .map((_, actor) => actor)
        .filter((actor) => !settled.has(actor) && !isCrashed(actor));
      if (live.length === 0) return;
      // Each live actor is at a round trip before anyone is chosen, so that a seed means the same order each time.
      const ready = live.filter((actor) => this.#waiting.some((waiting) => waiting.actor === actor));
      if (ready.length < live.length) {
        await new Promise<void>((resolve) => {
          this.#wake = resolve;
        });
        continue;
      }
      const actor = ready[choose(ready.length)]!;
      const [next] = this.#waiting.splice(
        this.#waiting.findIndex((waiting) => waiting.actor === actor),
        1,
      );
      steps[actor]!++;
      await next!.go();
    }
  }
}
