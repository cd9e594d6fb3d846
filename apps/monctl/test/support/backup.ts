import type { ServiceImpl } from "@connectrpc/connect";
import { type AdminService, Durability } from "@mon/proto";
import { blockMs, fragmentFromSamples, Kind, MemoryStore, type MetricStore } from "@mon/store";
import { type BackupSource, createBackup, restoreBackup } from "@mon/store/backup";
import { dataStartMs } from "./broker.ts";

/** A store of one host with a report of each of so many hours. */
export async function storeWithHours(hours: number, metric: string = "up"): Promise<MemoryStore> {
  const store = new MemoryStore();
  await store.open();
  await store.write(
    Array.from({ length: hours }, (_, i) =>
      fragmentFromSamples("web-1", dataStartMs + i * blockMs, [
        { name: metric, labels: [], kind: Kind.gauge, value: i, flags: 0 },
      ]),
    ),
  );
  await store.setMetadata("web-1", { os: "linux" });
  return store;
}

/** The pieces of a store's backup, made when the data set begins. */
export function piecesOf(store: BackupSource): AsyncIterable<Uint8Array> {
  return createBackup(store, { createdAtMs: dataStartMs, monVersion: "0.1.0", brokerId: "b1" });
}

/** A store's backup in one piece. */
export async function backupOf(store: BackupSource): Promise<Buffer> {
  const pieces: Uint8Array[] = [];
  for await (const piece of piecesOf(store)) pieces.push(piece);
  return Buffer.concat(pieces);
}

/** `Backup` and `Restore` of a broker with this store, which keeps everything from an instant on. */
export function backupService(
  store: MetricStore,
  keepFromMs: number = 0,
): Pick<ServiceImpl<typeof AdminService>, "backup" | "restore"> {
  return {
    async *backup() {
      let bytes = 0;
      for await (const chunk of piecesOf(store)) {
        bytes += chunk.length;
        yield { chunk, progress: { bytes: BigInt(bytes), partitions: 1n, fragments: 2n } };
      }
    },
    async restore(requests) {
      let dryRun = false;
      const chunks = async function* (): AsyncGenerator<Uint8Array> {
        for await (const request of requests) {
          dryRun = request.dryRun;
          yield request.chunk;
        }
      };
      const messages = chunks();
      const first = await messages.next();
      const pieces = async function* (): AsyncGenerator<Uint8Array> {
        if (!first.done) yield first.value;
        yield* messages;
      };
      const result = await restoreBackup(store, pieces(), { keepFromMs, dryRun });
      return {
        partitions: BigInt(result.partitions),
        fragments: BigInt(result.fragments),
        fragmentsPastRetention: BigInt(result.fragmentsPastRetention),
        hosts: BigInt(result.hosts),
        hostsPastRetention: BigInt(result.hostsPastRetention),
        partitionsDamaged: BigInt(result.partitionsDamaged),
        bytes: BigInt(result.bytes),
        durability: Durability.FSYNC,
        keepFromMs: BigInt(keepFromMs),
      };
    },
  };
}
