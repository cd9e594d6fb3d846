import {
  CheckScheduler,
  type CheckSchedulerOptions,
  type CheckSchedulerStats,
} from "../checks/check-scheduler.ts";
import type { CheckSpec } from "../checks/check-spec.ts";
import type { CheckResult } from "../checks/check-state.ts";
import { HostChecks } from "../checks/host-checks.ts";
import { type Doubt, ProberDoubt, type ProberDoubtOptions } from "../checks/prober-doubt.ts";
import type { Probes } from "../checks/probes.ts";
import { type Confirmer, type SecondOpinionOptions, SecondOpinions } from "../checks/second-opinion.ts";
import type { Clock, Timer } from "../clock.ts";
import type { Host, HostSighting, HostSource, HostState, Maintenance } from "./host.ts";
import { type HostPage, type HostQuery, pageOf } from "./host-page.ts";
import type { HostRecord } from "./host-record.ts";
import { HostRegistry, type HostRegistryOptions, type RegistryTransition } from "./host-registry.ts";
import { HostShare, type OwnerOf } from "./host-share.ts";
import { HostWriter, type HostWriterOptions, type HostWriterStats } from "./host-writer.ts";
import type { HostsCommand } from "./hosts-command.ts";
import { type GuardAlarm, MassFailureGuard, type MassFailureGuardOptions } from "./mass-failure-guard.ts";
import type { HostHandover } from "./takeover.ts";
import { type FeedItem, type FeedStats, TransitionFeed, type WatchOptions } from "./transition-feed.ts";
import { verdictOn } from "./verdict.ts";

/** What a monitor needs. */
export interface HostMonitorDeps {
  readonly clock: Clock;
  readonly probes: Probes;
  /** This broker's id on the ring. */
  readonly self: string;
  readonly ownerOf: OwnerOf;
  /** Which checks a host is to have. */
  readonly checksOf: (host: Host) => readonly CheckSpec[];
  /** What brokers agree on of a host, and of all. */
  readonly agreed: { record(key: string): HostRecord | undefined; records(): Iterable<HostRecord> };
  /** Has a command agreed on, and resolves when it is applied here; rejects when it may not have been. */
  readonly propose: (command: HostsCommand) => Promise<void>;
  /** Another broker that can look; without one, a monitor that doubts itself calls no host down. */
  readonly confirmer?: Confirmer | undefined;
  /** By how much the event loop was late at most since this was asked last, milliseconds. */
  readonly loopLagMs?: (() => number) | undefined;
  /** Tells the broker that watches a host from now on what is known of it. Must not throw. */
  readonly handOver?: ((to: string, key: string, handover: HostHandover) => void) | undefined;
}

/** How a monitor behaves. */
export interface HostMonitorOptions {
  readonly registry?: HostRegistryOptions;
  readonly scheduler?: Partial<CheckSchedulerOptions>;
  readonly guard?: Partial<MassFailureGuardOptions>;
  readonly doubt?: Partial<ProberDoubtOptions>;
  readonly opinions?: Partial<SecondOpinionOptions>;
  readonly writer?: HostWriterOptions;
  /** How long a lease holds that another broker has given, from when a host is taken over, 90,000 ms. */
  readonly leaseMs?: number;
}

/** How a monitor does. */
export interface HostMonitorStats {
  /** Hosts that are known, and those that are watched here. */
  readonly hosts: number;
  readonly mine: number;
  readonly checks: CheckSchedulerStats;
  readonly writer: HostWriterStats;
  readonly feed: FeedStats;
}

/** Hosts that may be handed over early; of others what is agreed on counts. */
const earlyMax = 20_000;
/** For so long a record may still come of a host that is gone: it was on its way. */
const goneMs = 60_000;
/** How often those are judged of whom something was heard. */
const tickMs = 1_000;
/** Every so many ticks all are: silence says nothing by itself. */
const ticksPerSweep = 5;

/**
 * Watches a broker's share of the hosts: has them checked, judges them, holds back when it had better doubt itself, tells those
 * who watch, and writes what all brokers must know. Of the other hosts it knows what is agreed on.
 *
 * created → running → stopped.
 */
export class HostMonitor {
  readonly #deps: HostMonitorDeps;
  readonly #leaseMs: number;
  readonly #registry: HostRegistry;
  readonly #share: HostShare;
  readonly #scheduler: CheckScheduler;
  readonly #checks: HostChecks;
  readonly #guard: MassFailureGuard;
  readonly #doubt: ProberDoubt;
  readonly #opinions: SecondOpinions | undefined;
  readonly #writer: HostWriter;
  readonly #feed = new TransitionFeed();
  /** Heard of since they were judged. */
  readonly #heard = new Set<string>();
  /** Gone from here, and perhaps not yet from what is agreed on, since when. */
  readonly #gone = new Map<string, number>();
  /** Handed over by one who knew of a change of the ring before this broker did. */
  readonly #early = new Map<string, HostHandover>();
  /** Would be down if they might. */
  readonly #looking = new Set<string>();
  #standing = 0;
  #ticks = 0;
  #timer: Timer | undefined;
  #state: "created" | "running" | "stopped" = "created";

  constructor(deps: HostMonitorDeps, options: HostMonitorOptions = {}) {
    const { clock, self, ownerOf, confirmer, agreed, propose } = deps;
    this.#deps = deps;
    this.#leaseMs = options.leaseMs ?? 90_000;
    this.#registry = new HostRegistry(options.registry);
    this.#share = new HostShare(self, ownerOf);
    this.#guard = new MassFailureGuard(options.guard);
    this.#doubt = new ProberDoubt(clock.now(), options.doubt);
    this.#opinions = confirmer && new SecondOpinions(confirmer, () => clock.now(), options.opinions);
    const checked = (key: string, result: CheckResult): void => this.#checked(key, result);
    this.#scheduler = new CheckScheduler(
      { clock, checked, stretch: () => this.#doubt.stretch },
      options.scheduler,
    );
    this.#checks = new HostChecks(this.#scheduler, deps.probes, clock);
    this.#writer = new HostWriter(
      {
        isOwn: (key) => this.#share.owns(key),
        host: (key) => this.#registry.host(key),
        agreed: (key) => agreed.record(key),
        propose,
      },
      clock.now(),
      options.writer,
    );
  }

  get state(): "created" | "running" | "stopped" {
    return this.#state;
  }

  /** Begins with what is agreed on. */
  start(): void {
    if (this.#state !== "created") return;
    this.#state = "running";
    this.agreedOn(undefined);
    this.#scheduler.start();
    this.#arm();
  }

  /** Ends checks and questions that are under way, and all watches. Idempotent. What is not written yet, the next owner finds out. */
  async stop(): Promise<void> {
    this.#state = "stopped";
    this.#timer?.cancel();
    this.#timer = undefined;
    this.#feed.close();
    await Promise.all([this.#scheduler.stop(), this.#opinions?.stop()]);
  }

  [Symbol.asyncDispose](): Promise<void> {
    return this.stop();
  }

  /** Whether a host is watched here; what is heard of another belongs to its owner. */
  isMine(key: string): boolean {
    return this.#share.isMine(key);
  }

  /**
   * Notes that a host was seen, when it is to be watched here.
   *
   * @returns the host; the id of the broker that is to be told instead; or undefined when there are too many
   */
  see(sighting: HostSighting): Host | string | undefined {
    const { hostId, address } = sighting;
    const key = hostId ?? this.#registry.keyAt(address ?? "") ?? `[${address}]`;
    const owner = this.#share.ownerOf(key);
    if (owner !== this.#deps.self && owner !== undefined) return owner;
    const before = address === undefined ? undefined : this.#registry.keyAt(address);
    const host = this.#registry.see(sighting);
    if (host === undefined) return undefined;
    // One that was known by its address alone may have become this one.
    if (before !== undefined && before !== host.key && this.#registry.host(before) === undefined)
      this.#drop(before);
    this.#share.add(host.key);
    this.#gone.delete(host.key);
    this.#heard.add(host.key);
    this.#writer.touched(host.key);
    this.#schedule(host);
    return host;
  }

  /** Takes back what a source said of a host: planned, so that nobody misses it. */
  unsee(key: string, source: HostSource): void {
    if (!this.isMine(key)) return;
    if (this.#registry.unsee(key, source)) this.#drop(key);
    else this.#writer.touched(key);
  }

  /** Notes a heartbeat. */
  heartbeat(key: string, atMs: number): void {
    if (!this.isMine(key)) return;
    this.#registry.heartbeat(key, atMs);
    this.#heard.add(key);
  }

  /** Begins or ends a time in which nobody wants to hear of a host. */
  maintain(key: string, maintenance: Maintenance | undefined): void {
    if (!this.isMine(key)) return;
    this.#registry.maintain(key, maintenance);
    this.#writer.touched(key);
  }

  /** Has the checks of all hosts made anew, after what `checksOf` goes by has changed. Those that are as they were go on. */
  reconfigure(): void {
    for (const key of this.#share.hostKeys) {
      const host = this.#registry.host(key);
      if (host !== undefined) this.#schedule(host);
    }
  }

  /** The ring has changed: hosts that are watched elsewhere from now on are handed over, others taken over. */
  reshare(ownerOf: OwnerOf): void {
    const keys = [...this.#registry.hosts].map(({ key }) => key);
    const { gained, lost } = this.#share.reshare(keys, ownerOf);
    for (const { hostKey, to } of lost) {
      const handover = this.#registry.handOver(hostKey);
      if (handover !== undefined && to !== undefined) this.#deps.handOver?.(to, hostKey, handover);
      this.#unwatch(hostKey);
      this.#writer.leave(hostKey);
    }
    for (const key of gained) this.#takeOver(key, this.#early.get(key));
    this.#early.clear();
  }

  /**
   * The broker that watched a host says what it knew. Later words count, whether they come before this or after it; what comes
   * before the change of the ring does waits for that, 20,000 hosts at most.
   */
  handedOver(key: string, handover: HostHandover): void {
    if (this.isMine(key)) this.#takeOver(key, handover);
    else if (this.#early.size < earlyMax) this.#early.set(key, handover);
  }

  /** What is agreed on has changed: of these hosts, or of all. */
  agreedOn(keys: readonly string[] | undefined): void {
    const { agreed } = this.#deps;
    const transitions: RegistryTransition[] = [];
    const all = keys === undefined ? [...agreed.records()].map(({ key }) => key) : keys;
    for (const key of all) {
      if (this.isMine(key)) continue;
      const record = agreed.record(key);
      if (record === undefined) {
        this.#registry.disinherit(key);
        this.#gone.delete(key);
      } else if (!this.#gone.has(key) || !this.#share.owns(key)) {
        const transition = this.#registry.inherit(record);
        if (transition !== undefined) transitions.push(transition);
        // One that there is no room for here is nobody's to forget.
        if (this.#registry.host(key) !== undefined && this.#share.add(key)) this.#takeOver(key);
      }
    }
    if (keys === undefined) {
      for (const { key } of [...this.#registry.hosts])
        if (!this.isMine(key) && agreed.record(key) === undefined) this.#registry.disinherit(key);
    }
    this.#feed.publish(transitions);
  }

  host(key: string): Host | undefined {
    return this.#registry.host(key);
  }

  /** One page of all hosts; see {@link pageOf}. */
  page(query: HostQuery = {}): HostPage {
    return pageOf(this.#registry.hosts, query);
  }

  /** Transitions from now on, of all hosts; see {@link TransitionFeed.watch}. */
  watch(options: WatchOptions = {}): AsyncIterableIterator<FeedItem> {
    return this.#feed.watch(options);
  }

  /** Why no host is called down now, if so. */
  get alarm(): GuardAlarm | undefined {
    return this.#guard.alarm(this.#deps.clock.now());
  }

  /** Why this broker does not believe itself, if so. */
  get doubt(): Doubt | undefined {
    return this.#doubt.doubt(this.#deps.clock.now());
  }

  /** Somebody knows better than the guard: for a window, hosts go down as they look. */
  force(): void {
    this.#guard.force(this.#deps.clock.now());
  }

  stats(): HostMonitorStats {
    return {
      hosts: this.#registry.size,
      mine: this.#share.hostKeys.size,
      checks: this.#scheduler.stats(),
      writer: this.#writer.stats(),
      feed: this.#feed.stats(),
    };
  }

  #arm(): void {
    this.#timer = this.#deps.clock.setTimeout(() => this.#tick(), tickMs);
  }

  #tick(): void {
    if (this.#state !== "running") return;
    const nowMs = this.#deps.clock.now();
    const lagMs = this.#deps.loopLagMs?.();
    if (lagMs !== undefined) this.#doubt.looped(lagMs, nowMs);
    const isSweep = this.#ticks++ % ticksPerSweep === 0;
    this.#judge(isSweep ? [...this.#share.hostKeys] : [...this.#heard], isSweep, nowMs);
    this.#heard.clear();
    // It never rejects, and says itself when it is busy.
    void this.#writer.write(nowMs);
    this.#arm();
  }

  #judge(keys: readonly string[], isSweep: boolean, nowMs: number): void {
    this.#look(keys, isSweep, nowMs);
    const isFree = this.#guard.round({ nowMs, standing: this.#standing, looking: this.#looking.size });
    const isDoubtful = this.#doubt.doubt(nowMs) !== undefined;
    const mayFall = ({ key }: Host): boolean =>
      isFree && (!isDoubtful || this.#opinions?.confirms(key) === true);
    const transitions = this.#registry.judge(nowMs, mayFall, keys);
    for (const { key, from, to } of transitions) {
      if (to === "forgotten") this.#drop(key);
      // Becoming known takes some changes in a row, which are no flapping.
      else if (from !== undefined && isHealth(from)) this.#writer.changed(key, nowMs);
      else this.#writer.touched(key);
    }
    const fallen = transitions.filter(({ to }) => to === "down");
    for (const { key } of fallen) this.#looking.delete(key);
    this.#standing -= fallen.length;
    this.#guard.fell(fallen.length, nowMs);
    for (const key of keys) if (this.isMine(key) && this.#registry.host(key) === undefined) this.#drop(key);
    for (const [key, atMs] of isSweep ? this.#gone : [])
      if (nowMs - atMs > goneMs && this.#deps.agreed.record(key) === undefined) this.#gone.delete(key);
    this.#feed.publish(transitions);
  }

  /** Finds out who would be down, before anybody is called so. */
  #look(keys: readonly string[], isSweep: boolean, nowMs: number): void {
    if (isSweep) {
      this.#looking.clear();
      this.#standing = 0;
    }
    for (const key of keys) {
      const host = this.#registry.host(key);
      if (host === undefined) continue;
      const isDown = host.state === "down";
      const looks = !isDown && this.#verdict(host, nowMs) === "down";
      if (looks) this.#looking.add(key);
      else this.#looking.delete(key);
      if (isSweep && !isDown && isWatched(host)) this.#standing++;
    }
  }

  #verdict(host: Host, nowMs: number): string {
    return verdictOn(host, nowMs, true, this.#registry.verdictOptions).state;
  }

  #checked(key: string, result: CheckResult): void {
    const host = this.#registry.host(key);
    if (host === undefined) return;
    const isFailing = result.status === "critical";
    this.#doubt.checked(key, isFailing, host.state === "down", this.#deps.clock.now());
    this.#registry.checked(key, result);
    this.#heard.add(key);
  }

  #takeOver(key: string, handedOver?: HostHandover): void {
    const { agreed, clock } = this.#deps;
    const host = this.#registry.host(key);
    if (host === undefined) return;
    const checkIds = this.#deps.checksOf(host).map(({ checkId }) => checkId);
    const record = agreed.record(key);
    this.#registry.takeOver(key, {
      record,
      handedOver,
      checkIds,
      leaseMs: this.#leaseMs,
      nowMs: clock.now(),
    });
    this.#schedule(host);
    this.#writer.touched(key);
  }

  #schedule(host: Host): void {
    const specs = this.#deps.checksOf(host);
    if (this.#checks.set(host.key, specs))
      this.#registry.keepChecks(host.key, new Set(specs.map(({ checkId }) => checkId)));
  }

  #unwatch(key: string): void {
    this.#checks.delete(key);
    this.#heard.delete(key);
    this.#looking.delete(key);
  }

  /** A host is gone that was watched here. */
  #drop(key: string): void {
    this.#unwatch(key);
    this.#share.delete(key);
    this.#gone.set(key, this.#deps.clock.now());
    this.#writer.touched(key);
  }
}

function isHealth(state: HostState): boolean {
  return state === "healthy" || state === "degraded" || state === "suspect" || state === "down";
}

/** Whether a host's health is of interest: one that was only found is not missed. */
function isWatched({ state }: Host): boolean {
  return state !== "discovered" && state !== "identified";
}
