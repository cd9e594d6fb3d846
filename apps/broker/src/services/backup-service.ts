import { setImmediate as nextTurn } from "node:timers/promises";
import { Code, ConnectError, type HandlerContext, type ServiceImpl } from "@connectrpc/connect";
import type { Clock } from "@mon/intake";
import type { AdminService, RestoreRequest } from "@mon/proto";
import { type MetricStore, StoreError } from "@mon/store";
import { type BackupCounts, BackupError, createBackup, restoreBackup } from "@mon/store/backup";
import type { Logger } from "../logger.ts";
import type { BrokerIdentity } from "./identity.ts";
import { durabilityMessage } from "./outcome-message.ts";
import { stopping } from "./report-stream.ts";
import { Turnstile } from "./turnstile.ts";

/** What the calls work with. */
export interface BackupDeps {
  readonly identity: BrokerIdentity;
  readonly store: MetricStore;
  /** What names the store's content; empty when nothing does. */
  readonly storeId: () => string;
  readonly retentionMs: number;
  readonly clock: Clock;
  readonly logger: Logger;
  /** Aborted when the broker stops. */
  readonly draining: AbortSignal;
}

/** `Backup` and `Restore` of `mon.v1.AdminService`. One of each at a time. */
export function createBackupService(
  deps: BackupDeps,
): Pick<ServiceImpl<typeof AdminService>, "backup" | "restore"> {
  const backups = new Turnstile(1, "backup");
  const restores = new Turnstile(1, "restore");
  return {
    async *backup(_request, context) {
      const leave = backups.enter();
      try {
        yield* piecesOf(deps, context);
      } catch (error) {
        throw callError(deps, error);
      } finally {
        leave();
      }
    },

    async restore(requests, context) {
      const leave = restores.enter();
      const drained = drain(deps.draining);
      try {
        // A caller that sends nothing must not hold up the stop.
        return await Promise.race([restored(deps, requests, context), drained.promise]);
      } catch (error) {
        throw callError(deps, error);
      } finally {
        drained.forget();
        leave();
      }
    },
  };
}

async function* piecesOf(
  { identity, store, storeId, clock, logger, draining }: BackupDeps,
  context: HandlerContext,
) {
  let counts: BackupCounts | undefined;
  let bytes = 0;
  const pieces = createBackup(store, {
    createdAtMs: clock.now(),
    monVersion: identity.version,
    storeId: storeId(),
    brokerId: identity.brokerId,
    signal: AbortSignal.any([context.signal, draining]),
    onProgress: (now) => {
      counts = now;
    },
  });
  for await (const chunk of pieces) {
    bytes += chunk.length;
    yield { chunk, progress: { bytes: BigInt(bytes), ...progressOf(counts) } };
    // Reports come first: compressing one piece after another would keep them waiting.
    await nextTurn();
  }
  logger.info({ bytes, ...counts }, "made a backup");
}

function progressOf(counts: BackupCounts | undefined) {
  if (counts === undefined) return {};
  const { partitions, partitionsDamaged, fragments, hosts } = counts;
  return {
    partitions: BigInt(partitions),
    partitionsDamaged: BigInt(partitionsDamaged),
    fragments: BigInt(fragments),
    hosts: BigInt(hosts),
  };
}

async function restored(
  { store, retentionMs, clock, logger, draining }: BackupDeps,
  requests: AsyncIterable<RestoreRequest>,
  context: HandlerContext,
) {
  const messages = requests[Symbol.asyncIterator]();
  const first = await messages.next();
  const dryRun = first.done !== true && first.value.dryRun;
  const keepFromMs = clock.now() - retentionMs;
  const result = await restoreBackup(store, chunksOf(first, messages), {
    keepFromMs,
    dryRun,
    signal: AbortSignal.any([context.signal, draining]),
  });
  const { header, ...counts } = result;
  if (!dryRun) logger.info({ ...counts, createdAtMs: header.createdAtMs }, "restored a backup");
  return {
    partitions: BigInt(result.partitions),
    fragments: BigInt(result.fragments),
    fragmentsPastRetention: BigInt(result.fragmentsPastRetention),
    hosts: BigInt(result.hosts),
    hostsPastRetention: BigInt(result.hostsPastRetention),
    partitionsDamaged: BigInt(result.partitionsDamaged),
    bytes: BigInt(result.bytes),
    durability: durabilityMessage(result.durability),
    keepFromMs: BigInt(keepFromMs),
  };
}

async function* chunksOf(first: IteratorResult<RestoreRequest>, messages: AsyncIterator<RestoreRequest>) {
  for (let next = first; !next.done; next = await messages.next()) {
    yield next.value.chunk;
    await nextTurn();
  }
}

/** Rejects when the broker stops, until it is told to forget. */
function drain(draining: AbortSignal): { readonly promise: Promise<never>; readonly forget: () => void } {
  const { promise, reject } = Promise.withResolvers<never>();
  const onAbort = (): void => reject(stopping());
  draining.addEventListener("abort", onAbort, { once: true });
  if (draining.aborted) onAbort();
  return { promise, forget: () => draining.removeEventListener("abort", onAbort) };
}

/** An error as a caller should see it. */
function callError({ draining }: BackupDeps, error: unknown): unknown {
  if (draining.aborted) return stopping();
  if (!(error instanceof StoreError)) return error;
  const isCallers = error instanceof BackupError || error.code === "STORE_FRAGMENT_INVALID";
  const code = isCallers ? Code.InvalidArgument : Code.Unavailable;
  return new ConnectError(error.message, code, undefined, undefined, error);
}
