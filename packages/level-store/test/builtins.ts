import fs from "node:fs";
import { syncBuiltinESMExports } from "node:module";
import workerThreads from "node:worker_threads";
import zlib from "node:zlib";
import { afterEach } from "vitest";

// Disks that fail or are slow, and threads that cannot start, cannot be had on demand. So Node's own functions are
// replaced for a while, below everything that is tested.

const { fdatasync } = fs;
const { Worker } = workerThreads;
const { zstdDecompressSync } = zlib;

afterEach(() => {
  replaceSync(fdatasync);
  replaceWorker(Worker);
  zlib.zstdDecompressSync = zstdDecompressSync;
  syncBuiltinESMExports();
});

type Sync = (fd: number, done: (error: NodeJS.ErrnoException | null) => void) => void;

function replaceSync(sync: Sync): void {
  fs.fdatasync = sync as typeof fdatasync;
  syncBuiltinESMExports();
}

function replaceWorker(replacement: typeof Worker): void {
  workerThreads.Worker = replacement;
  syncBuiltinESMExports();
}

/** From now on no sync succeeds. */
export function failSyncs(): void {
  replaceSync((_, done) => {
    setImmediate(() => done(Object.assign(new Error("EIO: i/o error, fdatasync"), { code: "EIO" })));
  });
}

/** Syncs succeed again. */
export function mendSyncs(): void {
  replaceSync(fdatasync);
}

/** Holds syncs from now on. @returns what lets all of them go, and later ones too */
export function holdSyncs(): () => void {
  const held: (() => void)[] = [];
  replaceSync((fd, done) => {
    held.push(() => fdatasync(fd, done));
  });
  return () => {
    mendSyncs();
    for (const go of held) go();
  };
}

/** From now on worker threads find no file to begin with. */
export function failWorkers(): void {
  replaceWorker(
    class extends Worker {
      constructor() {
        super(new URL("no-such-file.js", import.meta.url));
      }
    } as typeof Worker,
  );
}

/** Worker threads begin again. */
export function mendWorkers(): void {
  replaceWorker(Worker);
}

/** Ends every worker thread that begins from now on as soon as it is sent something. */
export function killWorkers(): void {
  replaceWorker(
    class extends Worker {
      override postMessage(): void {
        void this.terminate();
      }
    },
  );
}

/** Counts how often this thread, not others, decompresses something from now on. @returns how often it did */
export function countDecompressions(): () => number {
  let count = 0;
  zlib.zstdDecompressSync = ((...args: Parameters<typeof zstdDecompressSync>) => {
    count++;
    return zstdDecompressSync(...args);
  }) as typeof zstdDecompressSync;
  syncBuiltinESMExports();
  return () => count;
}
