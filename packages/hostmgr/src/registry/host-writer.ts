import { FlapDamping, type FlapDampingOptions } from "./flap-damping.ts";
import type { Host } from "./host.ts";
import { type HostRecord, recordOf, rowOf } from "./host-record.ts";
import type { HostsCommand } from "./hosts-command.ts";

/** How sparingly hosts are written to what brokers agree on. */
export interface HostWriterOptions extends Partial<FlapDampingOptions> {
  /** Commands a minute at most, 6; each waits for others to go with it. */
  readonly writesPerMinute?: number;
  /** Commands that may be saved up, 6: so many at once when much has changed after a calm time. */
  readonly burst?: number;
  /** Hosts a command, 500. */
  readonly hostsPerWrite?: number;
}

/** What a writer needs. */
export interface HostWriterDeps {
  /** Whether this broker is the one that writes a host. */
  readonly isOwn: (key: string) => boolean;
  /** A host as it is here; undefined when it is gone. */
  readonly host: (key: string) => Host | undefined;
  /** A host as it is agreed on. */
  readonly agreed: (key: string) => HostRecord | undefined;
  /** Has a command agreed on, and resolves when it is applied here; rejects when it may not have been. */
  readonly propose: (command: HostsCommand) => Promise<void>;
}

/** What a writer has to do. */
export interface HostWriterStats {
  readonly writes: number;
  readonly failures: number;
  /** Hosts whose record may be behind. */
  readonly behind: number;
  readonly flapping: number;
}

/**
 * Writes the hosts of one broker to what all agree on: what has changed goes together, so many times a minute, whatever happens.
 * Only what differs from what is agreed on is written. A host that flaps is written once, with the state that it had and a mark,
 * and again when it is calm.
 *
 * Nothing is queued but the names of hosts that may be behind: however often one changes meanwhile, it is written as it is then.
 */
export class HostWriter {
  readonly #deps: HostWriterDeps;
  readonly #damping: FlapDamping;
  readonly #perMinute: number;
  readonly #burst: number;
  readonly #hostsPerWrite: number;
  readonly #behind = new Set<string>();
  #tokens: number;
  #filledMs: number;
  #isWriting = false;
  #writes = 0;
  #failures = 0;

  constructor(deps: HostWriterDeps, nowMs: number, options: HostWriterOptions = {}) {
    const { writesPerMinute = 6, burst = 6, hostsPerWrite = 500, ...damping } = options;
    for (const [name, value] of Object.entries({ writesPerMinute, burst, hostsPerWrite }))
      if (!(value >= 1 && value <= 1_000))
        throw new RangeError(`expected ${name} from 1 to 1000, got ${value}`);
    this.#deps = deps;
    this.#damping = new FlapDamping(damping);
    this.#perMinute = writesPerMinute;
    this.#burst = burst;
    this.#hostsPerWrite = hostsPerWrite;
    this.#tokens = burst;
    this.#filledMs = nowMs;
  }

  /** A host may differ from what is agreed on. */
  touched(key: string): void {
    this.#behind.add(key);
  }

  /** A host has changed its state. */
  changed(key: string, nowMs: number): void {
    this.#damping.changed(key, nowMs);
    this.#behind.add(key);
  }

  /** Somebody else watches a host now, and writes it. */
  leave(key: string): void {
    this.#behind.delete(key);
    this.#damping.forget(key);
  }

  /**
   * Writes what there is to write, when it may. To be called every second or so.
   *
   * @returns once the command is agreed on or has failed; at once, when there is none. Never rejects: what could not be written
   *   is behind still
   */
  async write(nowMs: number): Promise<void> {
    this.#fill(nowMs);
    for (const key of this.#damping.calm(nowMs)) this.#behind.add(key);
    if (this.#isWriting || this.#tokens < 1) return;
    const command = this.#next(nowMs);
    if (command === undefined) return;
    this.#tokens--;
    this.#isWriting = true;
    try {
      await this.#deps.propose(command);
      this.#writes++;
    } catch {
      // No leader, or no majority: it is counted, and tried again.
      this.#failures++;
    } finally {
      this.#isWriting = false;
      // Looked at once more: a word that came after a later one of somebody whose clock is ahead has changed nothing.
      for (const { key } of command.put) this.#behind.add(key);
      for (const key of command.forget) this.#behind.add(key);
    }
  }

  stats(): HostWriterStats {
    return {
      writes: this.#writes,
      failures: this.#failures,
      behind: this.#behind.size,
      flapping: this.#damping.flapping,
    };
  }

  #fill(nowMs: number): void {
    const gained = (Math.max(0, nowMs - this.#filledMs) * this.#perMinute) / 60_000;
    this.#tokens = Math.min(this.#burst, this.#tokens + gained);
    this.#filledMs = nowMs;
  }

  #next(nowMs: number): HostsCommand | undefined {
    const put: HostRecord[] = [];
    const forget: string[] = [];
    for (const key of this.#behind) {
      if (put.length + forget.length >= this.#hostsPerWrite) break;
      this.#behind.delete(key);
      // Given up while it was being written: another one writes it.
      if (!this.#deps.isOwn(key)) continue;
      const host = this.#deps.host(key);
      const agreed = this.#deps.agreed(key);
      if (host === undefined) {
        this.#damping.forget(key);
        if (agreed !== undefined) forget.push(key);
        continue;
      }
      const record = this.#wanted(host, agreed);
      if (agreed === undefined || JSON.stringify(rowOf(record)) !== JSON.stringify(rowOf(agreed)))
        put.push(record);
    }
    return put.length + forget.length === 0 ? undefined : { atMs: nowMs, put, forget };
  }

  /** What is to be agreed on: of a host that flaps, the state that was agreed on before. */
  #wanted(host: Host, agreed: HostRecord | undefined): HostRecord {
    if (!this.#damping.isFlapping(host.key)) return recordOf(host);
    const { state, sinceMs, reason } = agreed ?? recordOf(host);
    return { ...recordOf(host, true), state, sinceMs, reason };
  }
}
