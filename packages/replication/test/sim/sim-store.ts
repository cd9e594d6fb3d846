import type { SimProcess } from "@mon/raft/testing";
import {
  type ColumnSlice,
  type Fragment,
  type ImportReceipt,
  MemoryStore,
  type Partition,
  type ReadRequest,
  type WriteFate,
} from "@mon/store";
import { type ContentId, contentIdOf, contentKey, type Removal, type ReplicaStore } from "../../src/index.ts";

/**
 * A store on a disk: what is written counts, and is seen, when the sync that takes a while is over, and is lost when the
 * process dies before it.
 */
export class SimStore implements ReplicaStore {
  readonly #memory: MemoryStore = new MemoryStore();
  readonly #syncMs: () => number;
  readonly #removed: (hostId: string, ids: readonly ContentId[]) => void;
  /** Whose code writes. */
  process: SimProcess | undefined;
  /** What is on disk, by host and content id. */
  readonly names: Set<string> = new Set();

  constructor(syncMs: () => number, removed: (hostId: string, ids: readonly ContentId[]) => void = () => {}) {
    this.#syncMs = syncMs;
    this.#removed = removed;
    void this.#memory.open();
  }

  has(fragment: Fragment): boolean {
    return this.names.has(nameOf(fragment.hostId, fragment));
  }

  async write(fragments: readonly Fragment[]): Promise<readonly WriteFate[]> {
    await this.#sync();
    this.#note(fragments);
    const fates = await this.#memory.write(fragments);
    return fates.map((fate) => (fate.status === "stored" ? { ...fate, durability: "fsync" } : fate));
  }

  async importPartition(partition: Partition, fragments: AsyncIterable<Fragment>): Promise<ImportReceipt> {
    const list: Fragment[] = [];
    for await (const fragment of fragments) list.push(fragment);
    await this.#sync();
    this.#note(list);
    const stream = async function* (): AsyncGenerator<Fragment> {
      yield* list;
    };
    return { ...(await this.#memory.importPartition(partition, stream())), durability: "fsync" };
  }

  async removeFragments(partition: Partition, ids: readonly ContentId[]): Promise<Removal> {
    await this.#sync();
    for (const id of ids) this.names.delete(nameOf(partition.hostId, id));
    this.#removed(partition.hostId, ids);
    return this.#memory.removeFragments(partition, ids);
  }

  /** Every second fragment is gone, and nobody is told. */
  async lose(): Promise<void> {
    const partitions: Partition[] = [];
    for await (const partition of this.#memory.partitions()) partitions.push(partition);
    for (const partition of partitions) {
      const ids: ContentId[] = [];
      for await (const fragment of this.#memory.exportPartition(partition)) ids.push(contentIdOf(fragment));
      const lost = ids.filter((_, index) => index % 2 === 0);
      for (const id of lost) this.names.delete(nameOf(partition.hostId, id));
      await this.#memory.removeFragments(partition, lost);
    }
  }

  read(request: ReadRequest): AsyncIterable<ColumnSlice> {
    return this.#memory.read(request);
  }

  partitions(): AsyncIterable<Partition> {
    return this.#memory.partitions();
  }

  exportPartition(partition: Partition): AsyncIterable<Fragment> {
    return this.#memory.exportPartition(partition);
  }

  #note(fragments: readonly Fragment[]): void {
    for (const fragment of fragments) this.names.add(nameOf(fragment.hostId, fragment));
  }

  #sync(): Promise<void> {
    return new Promise((resolve) => this.process!.setTimeout(resolve, this.#syncMs()));
  }
}

export function nameOf(hostId: string, id: Pick<ContentId, "timestampMs" | "idHigh" | "idLow">): string {
  return `${hostId} ${contentKey(id)}`;
}
