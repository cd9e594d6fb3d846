import { statfs } from "node:fs/promises";
import type { SampleInput } from "@mon/client";
import type { Collector } from "../collector.ts";
import { linesOf, type ProcFs } from "../proc-fs.ts";
import { gauge, ratio } from "../sample.ts";

/** The most filesystems that are reported; beyond that, the last mounted are left out. */
const filesystemsMax = 64;

/** How long one mount may take to answer: a network filesystem whose server is gone takes for ever. */
const statfsTimeoutMs = 1_000;

/** Mounts that hang at once before the collector gives up: each holds one of the process's few threads. */
const hangingMax = 2;

/** Filesystems that store nothing on a disk of their own: the kernel's, memory, images and overlays. */
const pseudoTypes = new Set(
  `autofs binfmt_misc bpf cgroup cgroup2 configfs debugfs devpts devtmpfs efivarfs fuse.lxcfs fuse.portal fusectl
   hugetlbfs iso9660 mqueue nsfs overlay proc pstore ramfs rpc_pipefs securityfs selinuxfs squashfs sysfs tmpfs tracefs`
    .trim()
    .split(/\s+/),
);

/** A mounted filesystem. */
export interface Mount {
  /** `major:minor` of the filesystem; bind mounts share it. */
  readonly id: string;
  readonly device: string;
  readonly mountpoint: string;
  readonly type: string;
  /** "rw" or "ro". */
  readonly mode: string;
}

/** Sizes of a filesystem, in blocks. */
export interface Blocks {
  readonly bsize: number;
  readonly blocks: number;
  /** Free for the superuser. */
  readonly bfree: number;
  /** Free for everyone. */
  readonly bavail: number;
}

/** Reads `/proc/self/mountinfo`, see proc_pid_mountinfo(5). */
export function parseMountinfo(text: string): Mount[] {
  return linesOf(text).map((line) => {
    const [left = "", right = ""] = line.split(" - ", 2);
    const [, , id, , mountpoint, options] = left.split(" ");
    const [type, device] = right.split(" ");
    if (
      id === undefined ||
      mountpoint === undefined ||
      options === undefined ||
      !type ||
      device === undefined
    ) {
      throw new Error(`expected a mount in /proc/self/mountinfo, got ${line}`);
    }
    const mode = options.split(",").includes("ro") ? "ro" : "rw";
    return { id, device: unescapeOctal(device), mountpoint: unescapeOctal(mountpoint), type, mode };
  });
}

/** The kernel writes space, tab, newline and backslash as three octal digits, and the rest as bytes. */
function unescapeOctal(text: string): string {
  const bytes = text.replace(/\\([0-7]{3})/g, (_, digits: string) =>
    String.fromCharCode(Number.parseInt(digits, 8)),
  );
  return Buffer.from(bytes, "latin1").toString("utf8");
}

/**
 * The mounts worth a sample: real filesystems, each once, at the mount point that is shortest. In a container the root
 * is an overlay, and is reported all the same.
 */
export function realMounts(mounts: readonly Mount[]): Mount[] {
  const byId = new Map<string, Mount>();
  for (const mount of mounts) {
    if (pseudoTypes.has(mount.type) && !(mount.type === "overlay" && mount.mountpoint === "/")) continue;
    const known = byId.get(mount.id);
    if (known === undefined || mount.mountpoint.length < known.mountpoint.length) byId.set(mount.id, mount);
  }
  return [...byId.values()].slice(0, filesystemsMax);
}

/** Samples of one filesystem; its states add up to its limit. None of one without blocks. */
export function filesystemSamples(mount: Mount, { bsize, blocks, bfree, bavail }: Blocks): SampleInput[] {
  if (blocks === 0) return [];
  const labels = {
    system_device: mount.device,
    system_filesystem_mode: mount.mode,
    system_filesystem_mountpoint: mount.mountpoint,
    system_filesystem_type: mount.type,
  };
  const states = { used: blocks - bfree, free: bavail, reserved: bfree - bavail };
  const samples = Object.entries(states).flatMap(([state, count]) => {
    const ofState = { ...labels, system_filesystem_state: state };
    return [
      gauge("system_filesystem_usage_bytes", count * bsize, ofState),
      ratio("system_filesystem_utilization_ratio", count, blocks, ofState),
    ];
  });
  return [...samples, gauge("system_filesystem_limit_bytes", blocks * bsize, labels)];
}

/**
 * Filesystems: mounts from `/proc/self/mountinfo`, sizes by statfs(2). The library runs `df`, which hangs as a whole
 * when one server is gone.
 */
export class FilesystemCollector implements Collector {
  readonly name = "filesystem";
  readonly #proc: ProcFs;
  readonly #hanging = new Set<string>();

  constructor(proc: ProcFs) {
    this.#proc = proc;
  }

  async collect(): Promise<SampleInput[]> {
    const samples: SampleInput[] = [];
    for (const mount of realMounts(parseMountinfo(this.#proc.read("proc/self/mountinfo")))) {
      if (this.#hanging.has(mount.mountpoint)) continue;
      if (this.#hanging.size >= hangingMax) {
        throw new Error(`filesystems do not answer: ${[...this.#hanging].join(", ")}`);
      }
      const blocks = await this.#blocksOf(mount.mountpoint);
      if (blocks !== undefined) samples.push(...filesystemSamples(mount, blocks));
    }
    return samples;
  }

  /** The sizes, or undefined when the mount is gone, forbidden or hangs. */
  async #blocksOf(mountpoint: string): Promise<Blocks | undefined> {
    const { promise: late, resolve } = Promise.withResolvers<undefined>();
    const timer = setTimeout(() => resolve(undefined), statfsTimeoutMs);
    this.#hanging.add(mountpoint);
    const answer = statfs(mountpoint)
      .catch(() => undefined) // Unmounted since it was listed, or not ours to see.
      .finally(() => this.#hanging.delete(mountpoint));
    const blocks = await Promise.race([answer, late]);
    clearTimeout(timer);
    return blocks;
  }
}
