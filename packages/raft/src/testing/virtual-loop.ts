import type { Clock, Timer } from "../node/clock.ts";

/** Something that will happen. */
class Event implements Timer {
  at: number;
  order: number;
  readonly run: () => void;
  /** Whose code runs: it does not while that process is stopped, and never when it is dead. */
  readonly owner: Owner;
  cancelled = false;

  constructor(at: number, order: number, run: () => void, owner: Owner) {
    this.at = at;
    this.order = order;
    this.run = run;
    this.owner = owner;
  }

  cancel(): void {
    this.cancelled = true;
  }
}

type Owner = SimProcess | (() => SimProcess | undefined) | undefined;

/**
 * An event loop in virtual time, shared by all processes of a simulation: what is due next happens next, of things
 * due at once that which was scheduled first. Time passes only between events.
 */
export class VirtualLoop {
  #heap: Event[] = [];
  #order = 0;
  #now = 0;

  /** Milliseconds since the beginning. */
  get now(): number {
    return this.#now;
  }

  /** Events that are waiting. */
  get size(): number {
    return this.#heap.length;
  }

  /**
   * @param owner - the process whose code runs, or how to find it when it is due; without one nothing can stop it
   */
  schedule(delayMs: number, run: () => void, owner?: Owner): Timer {
    const event = new Event(this.#now + Math.max(0, delayMs), this.#order++, run, owner);
    this.#push(event);
    return event;
  }

  /**
   * Lets things happen one after the other, each with all that settles by it without time passing.
   *
   * @param until - the time to stop at
   * @param after - told after each thing whose code ran, `null` when it was nobody's; false to stop
   * @returns whether `after` stopped it; else nothing more was due until then
   */
  async run(until: number, after: (process: SimProcess | null) => boolean): Promise<boolean> {
    for (;;) {
      const ran = this.#next(until);
      if (ran === undefined) {
        return false;
      }
      await settled();
      if (!after(ran)) {
        return true;
      }
    }
  }

  /** Lets the next thing happen; undefined when nothing is due. */
  #next(until: number): SimProcess | null | undefined {
    for (;;) {
      const event = this.#heap[0];
      if (event === undefined || event.at > until) {
        this.#now = Number.isFinite(until) ? Math.max(this.#now, until) : this.#now;
        return undefined;
      }
      this.#pop();
      if (event.cancelled) {
        continue;
      }
      this.#now = event.at;
      const process = typeof event.owner === "function" ? event.owner() : event.owner;
      if (process?.state === "dead") {
        continue;
      }
      if (process?.state === "paused") {
        process.hold(() => {
          event.at = this.#now;
          event.order = this.#order++;
          this.#push(event);
        });
        continue;
      }
      event.run();
      return process ?? null;
    }
  }

  #push(event: Event): void {
    const heap = this.#heap;
    let at = heap.length;
    heap.push(event);
    while (at > 0) {
      const parent = (at - 1) >>> 1;
      if (!before(event, heap[parent]!)) {
        break;
      }
      heap[at] = heap[parent]!;
      at = parent;
    }
    heap[at] = event;
  }

  #pop(): void {
    const heap = this.#heap;
    const last = heap.pop()!;
    if (heap.length === 0) {
      return;
    }
    let at = 0;
    for (;;) {
      let child = 2 * at + 1;
      if (child >= heap.length) {
        break;
      }
      if (child + 1 < heap.length && before(heap[child + 1]!, heap[child]!)) {
        child++;
      }
      if (!before(heap[child]!, last)) {
        break;
      }
      heap[at] = heap[child]!;
      at = child;
    }
    heap[at] = last;
  }
}

/**
 * A process of a simulation, as far as time goes: its clock may be wrong, it can be stopped and continued (SIGSTOP,
 * SIGCONT), and once it is dead nothing of it happens any more.
 */
export class SimProcess implements Clock {
  /** Of the machine. */
  readonly id: string;
  /** Of this process on it. */
  readonly name: string;
  /** A number for {@link name}, to be added to a trace. */
  readonly fingerprint: number;
  readonly #loop: VirtualLoop;
  #state: "running" | "paused" | "dead" = "running";
  #held: (() => void)[] = [];
  /** How far the clock is ahead. */
  offsetMs = 0;
  /** How fast the clock goes; 1 is right. */
  rate = 1;

  /** @param run - counts the processes of the machine */
  constructor(id: string, run: number, loop: VirtualLoop) {
    this.id = id;
    this.name = `${id}#${run}`;
    let fingerprint = run;
    for (let at = 0; at < id.length; at++) {
      fingerprint = (Math.imul(fingerprint, 31) + id.charCodeAt(at)) | 0;
    }
    this.fingerprint = fingerprint;
    this.#loop = loop;
  }

  get state(): "running" | "paused" | "dead" {
    return this.#state;
  }

  now(): number {
    return Math.floor(EPOCH_MS + this.offsetMs + this.#loop.now * this.rate);
  }

  setTimeout(callback: () => void, delayMs: number): Timer {
    return this.#loop.schedule(delayMs / this.rate, callback, this);
  }

  setImmediate(callback: () => void): Timer {
    return this.#loop.schedule(0, callback, this);
  }

  /** Stops it; what comes due meanwhile waits. */
  pause(): void {
    if (this.#state === "running") {
      this.#state = "paused";
    }
  }

  /** Continues it: what came due meanwhile happens now, in order. */
  resume(): void {
    if (this.#state === "paused") {
      this.#state = "running";
      for (const release of this.#held.splice(0)) {
        release();
      }
    }
  }

  kill(): void {
    this.#state = "dead";
    this.#held = [];
  }

  /** Keeps something for {@link resume}. */
  hold(release: () => void): void {
    this.#held.push(release);
  }
}

function before(a: Event, b: Event): boolean {
  return a.at < b.at || (a.at === b.at && a.order < b.order);
}

/** Resolves when all promises that can settle without time passing have settled. */
function settled(): Promise<void> {
  return new Promise(whenSettled);
}

function whenSettled(resolve: () => void): void {
  // biome-ignore lint/style/noRestrictedGlobals: only the host knows the end of its microtasks; no time passes.
  process.nextTick(resolve);
}

const EPOCH_MS = 1_767_225_600_000;
