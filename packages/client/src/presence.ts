import type { HeartbeatResponse, RegisterResponse } from "@mon/proto";
import type { Clock, Timer } from "./clock.ts";

/** Who an agent is. */
export interface Registration {
  /** The host it reports for. */
  readonly hostId: string;
  /** Name of the program. */
  readonly agentName: string;
  /** Its version, as semver. */
  readonly agentVersion: string;
  /** What is worth knowing of the machine; a broker takes 32 entries of 1,024 bytes. */
  readonly metadata?: Readonly<Record<string, string>> | undefined;
}

/** The calls of a connected broker. */
export interface PresenceCalls {
  register(registration: Registration): Promise<RegisterResponse>;
  heartbeat(hostId: string): Promise<HeartbeatResponse>;
}

/** The most hosts that one client registers. */
const registrationsMax = 1_000;

/** A broker that names no interval, or an absurd one, gets heartbeats within these bounds. */
const heartbeatMsMin = 1_000;
const heartbeatMsMax = 3_600_000;

interface Host {
  registration: Registration;
  timer: Timer | undefined;
}

/**
 * Keeps hosts registered with whichever broker is connected, and sends their heartbeats at the interval that the broker
 * tells. A call that fails is made good by the next one: a heartbeat by the next heartbeat, a registration by the next
 * connection.
 */
export class Presence {
  readonly #clock: Clock;
  readonly #hosts = new Map<string, Host>();
  #calls: PresenceCalls | undefined;

  constructor(clock: Clock) {
    this.#clock = clock;
  }

  /**
   * Remembers a host, in place of what was known of it.
   *
   * @throws {RangeError} beyond 1,000 hosts
   */
  add(registration: Registration): void {
    const known = this.#hosts.get(registration.hostId);
    if (known !== undefined) {
      known.registration = registration;
      return;
    }
    if (this.#hosts.size >= registrationsMax) {
      throw new RangeError(`expected at most ${registrationsMax} registered hosts`);
    }
    this.#hosts.set(registration.hostId, { registration, timer: undefined });
  }

  /** Registers one host with the connected broker, if there is one, and begins its heartbeats. */
  async announce(hostId: string): Promise<RegisterResponse | undefined> {
    const calls = this.#calls;
    const host = this.#hosts.get(hostId);
    if (calls === undefined || host === undefined) return undefined;
    const response = await calls.register(host.registration);
    if (calls === this.#calls) this.#beat(host, calls, response.heartbeatIntervalMs);
    return response;
  }

  /** A broker is connected: registers every host with it. `onRegistered` gets each answer. */
  connect(calls: PresenceCalls, onRegistered: (hostId: string, response: RegisterResponse) => void): void {
    this.#calls = calls;
    for (const hostId of this.#hosts.keys()) {
      this.announce(hostId).then(
        (response) => response !== undefined && onRegistered(hostId, response),
        () => {}, // The next connection registers again; the stream itself tells what is wrong with this one.
      );
    }
  }

  /** The broker is gone: heartbeats rest. */
  disconnect(): void {
    this.#calls = undefined;
    for (const host of this.#hosts.values()) {
      host.timer?.clear();
      host.timer = undefined;
    }
  }

  #beat(host: Host, calls: PresenceCalls, intervalMs: number): void {
    const waitMs = Math.min(Math.max(intervalMs, heartbeatMsMin), heartbeatMsMax);
    host.timer?.clear();
    host.timer = this.#clock.setTimeout(() => {
      calls.heartbeat(host.registration.hostId).catch(() => {}); // The next heartbeat makes it good.
      this.#beat(host, calls, intervalMs);
    }, waitMs);
  }
}
