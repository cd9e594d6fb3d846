import { execFile } from "node:child_process";
import { mkdir, open, rm } from "node:fs/promises";
import path from "node:path";
import { promisify } from "node:util";

const run = promisify(execFile);
const MiB = 1024 * 1024;

/** The directory of one member, on the disk of the runner or on a small one of its own that can be filled. */
export class Disk {
  readonly directory: string;
  readonly #mount: string | undefined;

  private constructor(directory: string, mount: string | undefined) {
    this.directory = directory;
    this.#mount = mount;
  }

  /** Whether this process may mount. */
  static async canBeSmall(): Promise<boolean> {
    return process.platform === "linux" && process.getuid?.() === 0;
  }

  /** @param isSmall - a file system of 64 MiB in memory; needs root */
  static async create(parent: string, id: string, isSmall: boolean): Promise<Disk> {
    const place = path.join(parent, id);
    await mkdir(place);
    if (isSmall) await run("mount", ["-t", "tmpfs", "-o", "size=64m", "tmpfs", place]);
    return new Disk(path.join(place, "raft"), isSmall ? place : undefined);
  }

  get canBeFilled(): boolean {
    return this.#mount !== undefined;
  }

  /** Takes all the room there is. */
  async fill(): Promise<void> {
    if (this.#mount === undefined) return;
    const ballast = await open(path.join(this.#mount, "ballast"), "a");
    try {
      for (const bytes of [MiB, 4096, 1]) {
        const block = Buffer.alloc(bytes);
        for (;;)
          if ((await ballast.write(block).catch(() => ({ bytesWritten: 0 }))).bytesWritten < bytes) break;
      }
    } finally {
      await ballast.close();
    }
  }

  /** Gives the room back. */
  async free(): Promise<void> {
    if (this.#mount !== undefined) await rm(path.join(this.#mount, "ballast"), { force: true });
  }

  async close(): Promise<void> {
    if (this.#mount !== undefined) await run("umount", ["--lazy", this.#mount]);
  }
}
