import type { KeySpace } from "../keys/key-space.ts";
import { registryPartition } from "../keys/registry-partition.ts";
import type { ServerError } from "../servers/server-error.ts";
import type { Servers, SlotBatch } from "../servers/servers.ts";
import { slotOf } from "../servers/slot.ts";
import { CommandWriter } from "../wire/command-writer.ts";
import type { HostBook } from "./host-book.ts";
import { registerScript, unregisterScript } from "./scripts.ts";

/** Hosts told of in one call of a script. */
const hostsPerCall = 1_000;

/** Tells the registry of hosts what has changed, so that readers need not ask every host. */
export class Registry {
  readonly #servers: Servers;
  readonly #keys: KeySpace;
  /** What a log is called that this process begins. */
  readonly #epoch: string;

  constructor(servers: Servers, keys: KeySpace, epoch: string) {
    this.#servers = servers;
    this.#keys = keys;
    this.#epoch = epoch;
  }

  /** Tells of hosts whose books have a version that it has not heard of. @returns those that it did not hear of, and why */
  async register(books: readonly HostBook[]): Promise<ReadonlyMap<HostBook, ServerError>> {
    const versions = books.map(({ version }) => version);
    const failures = await this.#registerEach(books, ({ hostId }) => hostId);
    for (const [i, book] of books.entries()) {
      if (!failures.has(book)) book.registeredVersion = versions[i]!;
    }
    return failures;
  }

  /** Tells of hosts. @throws {ServerError} when it was not told of all */
  async registerHosts(hostIds: readonly string[]): Promise<void> {
    const failures = await this.#registerEach(hostIds, (hostId) => hostId);
    for (const failure of failures.values()) throw failure;
  }

  /** Takes hosts out that have not changed since. @throws {ServerError} */
  async unregister(hosts: readonly { readonly hostId: string; readonly change: number }[]): Promise<void> {
    const failures = await this.#callEach(
      hosts,
      ({ hostId }) => hostId,
      (commands, partition, members) => {
        this.#begin(commands, unregisterScript.sha, partition, 2 * members.length);
        for (const { hostId, change } of members) commands.integer(change).text(hostId);
      },
    );
    for (const failure of failures.values()) throw failure;
  }

  #registerEach<T>(items: readonly T[], hostIdOf: (item: T) => string): Promise<Map<T, ServerError>> {
    return this.#callEach(items, hostIdOf, (commands, partition, members) => {
      this.#begin(commands, registerScript.sha, partition, 1 + members.length);
      commands.text(this.#epoch);
      for (const item of members) commands.text(hostIdOf(item));
    });
  }

  #begin(commands: CommandWriter, sha: string, partition: number, args: number): void {
    commands
      .begin(5 + args)
      .text("EVALSHA")
      .text(sha)
      .text("2")
      .text(this.#keys.registry(partition))
      .text(this.#keys.registryLog(partition));
  }

  async #callEach<T>(
    items: readonly T[],
    hostIdOf: (item: T) => string,
    encode: (commands: CommandWriter, partition: number, members: readonly T[]) => void,
  ): Promise<Map<T, ServerError>> {
    const members = new Map<number, T[]>();
    for (const item of items) {
      const partition = registryPartition(hostIdOf(item));
      const known = members.get(partition);
      if (known === undefined) members.set(partition, [item]);
      else known.push(item);
    }
    const calls: { readonly batch: SlotBatch; readonly page: readonly T[] }[] = [];
    for (const [partition, all] of members) {
      for (let begin = 0; begin < all.length; begin += hostsPerCall) {
        const page = all.slice(begin, begin + hostsPerCall);
        const commands = new CommandWriter();
        encode(commands, partition, page);
        calls.push({ page, batch: { slot: slotOf(String(partition)), commands: commands.take(), count: 1 } });
      }
    }
    const outcomes = await this.#servers.send(calls.map(({ batch }) => batch));
    const failures = new Map<T, ServerError>();
    for (const [i, { page }] of calls.entries()) {
      const failure = outcomes[i]!.error;
      if (failure !== undefined) for (const item of page) failures.set(item, failure);
    }
    return failures;
  }
}
