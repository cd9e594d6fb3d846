import {
  type CheckSpec,
  type Confirmer,
  encodeHostsCommand,
  type Host,
  type HostHandover,
  HostMonitor,
  type HostMonitorOptions,
  HostsFsm,
  type OwnerOf,
  type Probes,
  resolveCheck,
} from "../../src/index.ts";
import { VirtualClock } from "./virtual-clock.ts";

/** A broker of {@link Brokers}. */
export interface Broker {
  readonly id: string;
  readonly monitor: HostMonitor;
  readonly fsm: HostsFsm;
  /** Checks that it has made, by host. */
  readonly probed: string[];
}

/**
 * Brokers in virtual time that agree on everything at once. Hosts are addresses that answer or do not, as each broker sees them.
 */
export class Brokers {
  readonly clock: VirtualClock = new VirtualClock();
  readonly brokers: Broker[] = [];
  /** Hosts that do not answer, `host` to everybody, `broker>host` to one. */
  readonly dead: Set<string> = new Set();
  /** By how much each broker's event loop is late. */
  readonly lagMs: Map<string, number> = new Map();
  /** Whether a broker that gives up a host says what it knows. */
  handsOver = true;
  writes = 0;
  ownerOf: OwnerOf;
  readonly #checks: readonly string[];

  constructor(
    ids: readonly string[],
    ownerOf: OwnerOf,
    options: HostMonitorOptions = {},
    checks: readonly string[] = ["tcp"],
  ) {
    this.ownerOf = ownerOf;
    this.#checks = checks;
    for (const id of ids) this.brokers.push(this.#broker(id, options, ids.length > 1));
  }

  broker(id: string): Broker {
    return this.brokers.find((each) => each.id === id)!;
  }

  start(): void {
    for (const { monitor } of this.brokers) monitor.start();
  }

  async [Symbol.asyncDispose](): Promise<void> {
    for (const { monitor } of this.brokers) await monitor.stop();
  }

  /** Tells the owner that a host reports. */
  report(hostId: string): void {
    const { monitor } = this.broker(this.ownerOf(hostId)!);
    monitor.see({ source: "report", hostId, atMs: this.clock.now() });
  }

  /** Changes who watches what; each broker hears of it so much later than the one before. */
  async reshare(ownerOf: OwnerOf, apartMs = 0): Promise<void> {
    this.ownerOf = ownerOf;
    for (const { monitor } of this.brokers) {
      monitor.reshare(ownerOf);
      if (apartMs > 0) await this.clock.advance(apartMs);
    }
  }

  isDead(broker: string, host: string): boolean {
    return this.dead.has(host) || this.dead.has(`${broker}>${host}`);
  }

  #broker(id: string, options: HostMonitorOptions, hasPeers: boolean): Broker {
    const probed: string[] = [];
    const fsm = new HostsFsm((keys) => {
      monitor.agreedOn(keys);
    });
    const connect = async ({ host }: { readonly host: string }): Promise<void> => {
      probed.push(host);
      if (this.isDead(id, host)) throw new Error(`${host} does not answer`);
    };
    const confirmer: Confirmer = {
      confirm: async (key) => {
        const other = this.brokers.find((each) => each.id !== id)!;
        return this.isDead(other.id, key) ? "down" : "up";
      },
    };
    const monitor: HostMonitor = new HostMonitor(
      {
        clock: this.clock,
        probes: { connect } as unknown as Probes,
        self: id,
        ownerOf: this.ownerOf,
        checksOf: (host) => this.#checksOf(host),
        agreed: fsm,
        propose: async (command) => {
          this.writes++;
          const data = encodeHostsCommand(command);
          for (const each of this.brokers)
            each.fsm.apply([{ index: 1, term: 1, type: "command", data }] as never);
        },
        confirmer: hasPeers ? confirmer : undefined,
        loopLagMs: () => this.lagMs.get(id) ?? 0,
        handOver: (to: string, key: string, handover: HostHandover) => {
          if (!this.handsOver) return;
          // As it is after a wire: nothing is shared.
          const sent = structuredClone({ ...handover });
          this.clock.setTimeout(() => this.broker(to).monitor.handedOver(key, sent), 10);
        },
      },
      options,
    );
    return { id, monitor, fsm, probed };
  }

  #checksOf({ hostId }: Host): readonly CheckSpec[] {
    if (hostId === undefined) return [];
    return this.#checks.map((checkId) => resolveCheck({ checkId, kind: "tcp", host: hostId, port: 1 }));
  }
}
