import { execFile } from "node:child_process";
import { promisify } from "node:util";
import type { Address, Network } from "./network.ts";

const run = promisify(execFile);
const peerPort = 7001;
const clientPort = 7101;
/** A link address that nobody has. */
const nobody = "02:00:00:00:02:00";

/** Runs `ip` with its arguments in one string. */
async function ip(args: string): Promise<void> {
  await run("ip", args.split(" "));
}

/**
 * A network namespace for each member, joined by a bridge: members have addresses of their own, and packets between them
 * are lost without a word, in either direction alone, by being sent to a link address that nobody has. A route that
 * refuses them would tell the sender, which then tries again sooner than after a loss. Needs root on Linux.
 */
export class Namespaces implements Network {
  readonly kind = "namespaces";
  readonly #ids: readonly string[];
  /** Names have at most 15 characters. */
  readonly #name: string;
  readonly #subnet: string;
  /** Pairs of ids, with a space between. */
  readonly #cuts = new Set<string>();

  constructor(ids: readonly string[]) {
    this.#ids = ids;
    this.#name = `mon${process.pid.toString(36)}`;
    this.#subnet = `10.${200 + (process.pid % 50)}.${Math.floor(process.pid / 50) % 250}`;
  }

  /** Whether this process may make namespaces here. */
  static async isPossible(): Promise<boolean> {
    if (process.platform !== "linux" || process.getuid?.() !== 0) return false;
    const probe = `monprobe${process.pid}`;
    try {
      await ip(`netns add ${probe}`);
      await ip(`netns del ${probe}`);
      return true;
    } catch {
      return false;
    }
  }

  async open(): Promise<void> {
    const bridge = `${this.#name}br`;
    await ip(`link add ${bridge} type bridge`);
    await ip(`addr add ${this.#subnet}.254/24 dev ${bridge}`);
    await ip(`link set ${bridge} up`);
    for (const id of this.#ids) {
      const space = this.#spaceOf(id);
      await ip(`netns add ${space}`);
      await ip(`-n ${space} link set lo up`);
      await ip(`link add ${space}v type veth peer name eth0 address ${this.#linkOf(id)} netns ${space}`);
      await ip(`link set ${space}v master ${bridge} up`);
      await ip(`-n ${space} addr add ${this.#hostOf(id)}/24 dev eth0`);
      await ip(`-n ${space} link set eth0 up`);
    }
    for (const from of this.#ids) {
      for (const to of this.#ids) if (from !== to) await this.#direct(from, to, this.#linkOf(to));
    }
  }

  peerAddress(_from: string, to: string): Address {
    return { host: this.#hostOf(to), port: peerPort };
  }

  clientAddress(id: string): Address {
    return { host: this.#hostOf(id), port: clientPort };
  }

  commandOf(id: string, command: readonly string[]): readonly string[] {
    return ["ip", "netns", "exec", this.#spaceOf(id), ...command];
  }

  async cut(from: string, to: string): Promise<void> {
    if (this.#cuts.has(`${from} ${to}`)) return;
    this.#cuts.add(`${from} ${to}`);
    await this.#direct(from, to, nobody);
  }

  async mend(from: string, to: string): Promise<void> {
    if (!this.#cuts.delete(`${from} ${to}`)) return;
    await this.#direct(from, to, this.#linkOf(to));
  }

  async heal(): Promise<void> {
    for (const cut of this.#cuts) {
      const [from, to] = cut.split(" ");
      await this.mend(from!, to!);
    }
  }

  async close(): Promise<void> {
    for (const id of this.#ids) await ip(`netns del ${this.#spaceOf(id)}`).catch(() => {});
    // The other ends of the cables go with the namespaces.
    await ip(`link del ${this.#name}br`).catch(() => {});
  }

  #spaceOf(id: string): string {
    return `${this.#name}${id}`;
  }

  /** Has `from` send what is for `to` to a link address. */
  async #direct(from: string, to: string, link: string): Promise<void> {
    const neighbour = `${this.#hostOf(to)} lladdr ${link} dev eth0 nud permanent`;
    await ip(`-n ${this.#spaceOf(from)} neigh replace ${neighbour}`);
  }

  #linkOf(id: string): string {
    return `02:00:00:00:01:0${this.#ids.indexOf(id) + 1}`;
  }

  #hostOf(id: string): string {
    return `${this.#subnet}.${this.#ids.indexOf(id) + 1}`;
  }
}
