import { crc32, fmix32 } from "@mon/hashring";
import type { Clock, Timer } from "../clock.ts";
import type { CheckOutcome } from "./check-outcome.ts";
import type { CheckResult } from "./check-state.ts";
import { type Due, DueQueue } from "./due-queue.ts";
import { Lateness } from "./lateness.ts";

/** A check that is to be run again and again. */
export interface ScheduledCheck {
  readonly checkId: string;
  readonly intervalMs: number;
  /** Less than the interval. */
  readonly timeoutMs: number;
  /** Runs it once; ends soon after its signal aborts, and does not reject. */
  run(signal: AbortSignal): Promise<CheckOutcome>;
}

/** What a scheduler needs. */
export interface CheckSchedulerDeps {
  readonly clock: Clock;
  /** Given each result, in the order in which they come; must not throw. */
  readonly checked: (hostKey: string, result: CheckResult) => void;
  /** By how much timeouts are stretched now, 1 and more: one who doubts itself waits longer. */
  readonly stretch?: () => number;
}

/** How hard a scheduler may work. */
export interface CheckSchedulerOptions {
  /** Runs under way at a time, 256. What is due meanwhile waits, and is late. */
  readonly concurrency: number;
  /** Checks at most, 200,000; `add` throws beyond. */
  readonly checksMax: number;
}

/** What holds where an option is not given. */
export const defaultCheckSchedulerOptions: CheckSchedulerOptions = Object.freeze({
  concurrency: 256,
  checksMax: 200_000,
});

/** How a scheduler does. */
export interface CheckSchedulerStats {
  readonly checks: number;
  readonly running: number;
  readonly waiting: number;
  readonly runs: number;
  readonly timeouts: number;
  /** Runs that were left out, since the one before had not ended or not begun. */
  readonly skipped: number;
  /** By how much runs began late: half of them, 99 in 100, and the worst. */
  readonly latenessMs: { readonly p50: number; readonly p99: number; readonly max: number };
}

interface Entry extends Due {
  readonly hostKey: string;
  readonly check: ScheduledCheck;
  dueMs: number;
  /** When the run was due that waits now. */
  wantedMs: number;
  state: "idle" | "waiting" | "running";
  isGone: boolean;
  /** Of the run under way. */
  abort: AbortController | undefined;
}

/** Timers are not set further ahead: a clock that was set back is noticed by then. */
const sleepMsMax = 1_000;
/** A stretched timeout leaves this share of the interval at least. */
const stretchShareMax = 0.9;

/**
 * Runs checks at their times: each host has its place in the interval, a hash of its id, so that checks are spread evenly and
 * stay where they are over restarts and changes of owner. No check overlaps itself, and no more run at a time than allowed; what
 * cannot begin in time is late, which is counted, and what is due again by then is left out.
 *
 * created → running → stopped. One timer, whatever the number of checks; adding one and running one are O(log checks).
 */
export class CheckScheduler {
  readonly #deps: CheckSchedulerDeps;
  readonly #options: CheckSchedulerOptions;
  readonly #hosts = new Map<string, Map<string, Entry>>();
  readonly #queue = new DueQueue<Entry>();
  /** Waiting for room, in order; removed ones are passed over. */
  #waiting: Entry[] = [];
  readonly #running = new Set<{ readonly abort: AbortController; readonly ended: Promise<void> }>();
  #timer: Timer | undefined;
  #timerMs = Number.POSITIVE_INFINITY;
  #state: "created" | "running" | "stopped" = "created";
  #lastMs = Number.NEGATIVE_INFINITY;
  #checks = 0;
  #gone = 0;
  #runs = 0;
  #timeouts = 0;
  #skipped = 0;
  readonly #lateness = new Lateness();

  constructor(deps: CheckSchedulerDeps, options: Partial<CheckSchedulerOptions> = {}) {
    this.#deps = deps;
    this.#options = { ...defaultCheckSchedulerOptions, ...options };
    for (const [name, value] of Object.entries(this.#options)) {
      if (!Number.isInteger(value) || value < 1)
        throw new RangeError(`expected ${name} to be an integer of 1 at least, got ${value}`);
    }
  }

  get state(): "created" | "running" | "stopped" {
    return this.#state;
  }

  start(): void {
    if (this.#state !== "created") return;
    this.#state = "running";
    for (const entry of this.#queue.takeAll()) this.#enqueue(entry);
    this.#arm();
  }

  /** Ends the runs under way, whose results are not told any more, and waits for them. Idempotent. */
  async stop(): Promise<void> {
    this.#state = "stopped";
    this.#timer?.cancel();
    this.#timer = undefined;
    this.#waiting = [];
    for (const { abort } of this.#running) abort.abort(new Error("the checks were stopped"));
    await Promise.all([...this.#running].map(({ ended }) => ended));
  }

  [Symbol.asyncDispose](): Promise<void> {
    return this.stop();
  }

  /**
   * Makes a host's checks exactly these. A check that is there already as the same object goes on as if nothing had happened;
   * one that is not there any more is ended, and tells no result.
   *
   * @throws {RangeError} when a timeout is not less than its interval, an id comes twice, or there are too many checks; then
   *   nothing has changed
   */
  set(hostKey: string, checks: readonly ScheduledCheck[]): void {
    const before = this.#hosts.get(hostKey) ?? new Map<string, Entry>();
    const after = this.#checks - before.size + checks.length;
    if (after > this.#options.checksMax)
      throw new RangeError(`expected at most ${this.#options.checksMax} checks, got ${after}`);
    if (new Set(checks.map(({ checkId }) => checkId)).size !== checks.length)
      throw new RangeError(`expected the checks of ${hostKey} to have ids of their own`);
    for (const { checkId, intervalMs, timeoutMs } of checks) {
      if (!(timeoutMs > 0 && timeoutMs < intervalMs))
        throw new RangeError(
          `expected timeoutMs of ${checkId} from 1 to ${intervalMs - 1}, got ${timeoutMs}`,
        );
    }
    const entries = new Map<string, Entry>();
    for (const check of checks) {
      const old = before.get(check.checkId);
      const isKept = old?.check === check;
      if (isKept) before.delete(check.checkId);
      entries.set(check.checkId, isKept ? old : this.#newEntry(hostKey, check));
    }
    for (const entry of before.values()) this.#drop(entry);
    if (entries.size === 0) this.#hosts.delete(hostKey);
    else this.#hosts.set(hostKey, entries);
    this.#checks = after;
    this.#sweep();
    this.#arm();
  }

  /** Hosts that have checks. */
  get hostKeys(): IterableIterator<string> {
    return this.#hosts.keys();
  }

  stats(): CheckSchedulerStats {
    return {
      checks: this.#checks,
      running: this.#running.size,
      waiting: this.#waiting.length,
      runs: this.#runs,
      timeouts: this.#timeouts,
      skipped: this.#skipped,
      latenessMs: {
        p50: this.#lateness.quantileMs(0.5),
        p99: this.#lateness.quantileMs(0.99),
        max: this.#lateness.maxMs,
      },
    };
  }

  #newEntry(hostKey: string, check: ScheduledCheck): Entry {
    const entry: Entry = {
      hostKey,
      check,
      dueMs: 0,
      wantedMs: 0,
      state: "idle",
      isGone: false,
      abort: undefined,
    };
    this.#enqueue(entry);
    return entry;
  }

  #enqueue(entry: Entry): void {
    entry.dueMs = nextTurnMs(entry.hostKey, entry.check.intervalMs, this.#deps.clock.now());
    this.#queue.add(entry);
  }

  #drop(entry: Entry): void {
    entry.isGone = true;
    this.#gone++;
    entry.abort?.abort(new Error("the check is not made any more"));
    if (entry.state === "waiting") this.#waiting = this.#waiting.filter((each) => each !== entry);
  }

  /** Takes those that are gone out of the queue, before they are most of it. */
  #sweep(): void {
    if (this.#gone <= 1_000 + this.#checks) return;
    for (const entry of this.#queue.takeAll()) if (!entry.isGone) this.#queue.add(entry);
    this.#gone = 0;
  }

  #arm(): void {
    if (this.#state !== "running") return;
    const next = this.#queue.peek();
    if (next === undefined) return;
    const now = this.#deps.clock.now();
    const atMs = Math.min(next.dueMs, now + sleepMsMax);
    if (this.#timer !== undefined && this.#timerMs <= atMs && this.#timerMs >= now - sleepMsMax) return;
    this.#timer?.cancel();
    this.#timerMs = atMs;
    this.#timer = this.#deps.clock.setTimeout(() => this.#wake(), Math.max(0, atMs - now));
  }

  #wake(): void {
    this.#timer = undefined;
    const now = this.#deps.clock.now();
    // The clock was set back: what is due by the old one would not come for as long as that.
    if (now < this.#lastMs) for (const entry of this.#queue.takeAll()) this.#enqueue(entry);
    this.#lastMs = now;
    for (;;) {
      const entry = this.#queue.peek();
      if (entry === undefined || entry.dueMs > now) break;
      this.#queue.take();
      if (entry.isGone) {
        this.#gone--;
        continue;
      }
      const wantedMs = entry.dueMs;
      this.#enqueue(entry);
      if (entry.state !== "idle") {
        this.#skipped++;
        continue;
      }
      entry.wantedMs = wantedMs;
      entry.state = "waiting";
      this.#waiting.push(entry);
    }
    this.#begin();
    this.#arm();
  }

  /** Begins what waits, while there is room. */
  #begin(): void {
    const room = this.#options.concurrency - this.#running.size;
    if (room <= 0 || this.#waiting.length === 0) return;
    for (const entry of this.#waiting.splice(0, room)) this.#run(entry);
  }

  #run(entry: Entry): void {
    const { clock, checked, stretch } = this.#deps;
    const { hostKey, check } = entry;
    const beganMs = clock.now();
    this.#lateness.add(Math.max(0, beganMs - entry.wantedMs));
    this.#runs++;
    entry.state = "running";
    const timeoutMs = Math.max(
      check.timeoutMs,
      Math.min(check.timeoutMs * (stretch?.() ?? 1), check.intervalMs * stretchShareMax),
    );
    const abort = new AbortController();
    entry.abort = abort;
    let isTold = false;
    const tell = ({ status, output }: CheckOutcome): void => {
      if (isTold || entry.isGone || this.#state !== "running") return;
      isTold = true;
      const durationMs = Math.max(0, clock.now() - beganMs);
      checked(hostKey, { checkId: check.checkId, status, atMs: beganMs, durationMs, output });
    };
    const timer = clock.setTimeout(() => {
      this.#timeouts++;
      const reason = `no answer within ${Math.round(timeoutMs)} ms`;
      abort.abort(new Error(reason));
      tell({ status: "critical", output: reason });
    }, timeoutMs);
    const ended = check.run(abort.signal).then(tell, (error: unknown) => {
      tell({ status: "critical", output: error instanceof Error ? error.message : String(error) });
    });
    const run = {
      abort,
      ended: ended.finally(() => {
        timer.cancel();
        this.#running.delete(run);
        entry.state = "idle";
        entry.abort = undefined;
        if (this.#state === "running") this.#begin();
      }),
    };
    this.#running.add(run);
  }
}

/**
 * When it is a host's turn next, after now: at `offset + k × interval`, where the offset is a hash of its id. Stable: another
 * broker, or this one after a restart, finds the same.
 */
export function nextTurnMs(hostKey: string, intervalMs: number, nowMs: number): number {
  const offset = fmix32(crc32(hostKey)) % intervalMs;
  return Math.floor((nowMs - offset) / intervalMs + 1) * intervalMs + offset;
}
