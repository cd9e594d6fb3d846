import { chmod, mkdir, mkdtemp, readFile, rm, symlink, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import path from "node:path";
import { outcomeOf, resolveCheck } from "@mon/hostmgr";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { createNodeProbes } from "../src/index.ts";

let root = "";
let folder = "";
beforeAll(async () => {
  root = await mkdtemp(path.join(tmpdir(), "mon-scripts-"));
  folder = path.join(root, "checks");
  await mkdir(folder, { mode: 0o755 });
});
afterAll(() => rm(root, { recursive: true, force: true }));

async function script(text: string, where = folder): Promise<string> {
  const file = path.join(where, `check-${Math.random().toString(36).slice(2)}`);
  await writeFile(file, `#!/bin/sh\n${text}\n`);
  await chmod(file, 0o755);
  return file;
}

async function run(file: string, args: readonly string[] = [], timeoutMs = 5_000, scriptFolders = [folder]) {
  const check = resolveCheck({ checkId: "s", kind: "script", path: file, args }, { scriptFolders: [root] });
  const probes = createNodeProbes({ scriptFolders });
  const abort = new AbortController();
  const timer = setTimeout(() => abort.abort(new Error("no end in time")), timeoutMs);
  const outcome = await outcomeOf(check, probes, abort.signal, () => performance.now());
  clearTimeout(timer);
  return `${outcome.status}: ${outcome.output}`;
}

/** Resolves when a process is gone, or has ended and is only waiting to be noticed. */
async function gone(pid: number): Promise<void> {
  for (;;) {
    const state = await readFile(`/proc/${pid}/stat`, "utf8").catch(() => undefined);
    if (state === undefined || /\) [ZX] /.test(state)) return;
    await new Promise((resolve) => setImmediate(resolve));
  }
}

describe("a script", () => {
  it.each([
    ["exit 0", "passing: exit code 0"],
    ["echo fine", "passing: fine\n"],
    ["echo careful; exit 1", "warning: careful\n"],
    ["echo bad >&2; exit 2", "critical: bad\n"],
    ["exit 77", "critical: exit code 77"],
    ["kill -9 $$", "critical: ended by SIGKILL"],
  ])("%s is %s", async (text, expected) => {
    expect(await run(await script(text))).toBe(expected);
  });

  it("that hangs is killed when its time is over, with all that it has started", async () => {
    const pids = path.join(root, "pids");
    const file = await script(`sleep 1000 & echo $$ $! > ${pids}; wait`);
    expect(await run(file, [], 500)).toBe("critical: no end in time");
    for (const pid of (await readFile(pids, "utf8")).trim().split(" ")) await gone(Number(pid));
  });

  it("that ends while what it has started holds its pipes open ends, and so does that", async () => {
    const pid = path.join(root, "pid");
    const file = await script(`sleep 1000 & echo $! > ${pid}; echo started`);
    expect(await run(file)).toBe("passing: started\n");
    await gone(Number(await readFile(pid, "utf8")));
  });

  it("that prints without end is cut to 4 KB, and ends when its time is over", async () => {
    expect(await run(await script("yes"), [], 300)).toBe("critical: no end in time");
    const output = await run(await script("seq 1 100000; exit 2"));
    expect(output).toMatch(/^critical: [\s\S]*\n99999\n100000\n\ncaptured \d+ of 588895 bytes$/);
    expect(Buffer.byteLength(output) - "critical: ".length).toBeLessThanOrEqual(4_096);
  });

  it("gets its arguments as they are, no shell, and nothing of this process's environment", async () => {
    process.env.MON_SECRET = "secret";
    const file = await script(`printf '%s|' "$@"; env | grep -c MON_; pwd`);
    expect(await run(file, ["; rm -rf /tmp/x", "$(id)", "a b"])).toBe(
      "passing: ; rm -rf /tmp/x|$(id)|a b|0\n/\n",
    );
  });

  it.each([
    ["is in another folder", async () => script("exit 0", root)],
    [
      "is a link to another folder",
      async () => {
        const link = path.join(folder, `link-${Math.random()}`);
        await symlink(await script("exit 0", root), link);
        return link;
      },
    ],
    [
      "can be written by others",
      async () => {
        const file = await script("exit 0");
        await chmod(file, 0o777);
        return file;
      },
    ],
  ])("that %s is not run", async (_, make) => {
    expect(await run(await make())).toMatch(/is in no folder that is allowed|can be changed by others/);
  });

  it("that is not there fails", async () => {
    expect(await run(path.join(folder, "none"))).toMatch(/^critical: .*ENOENT/);
  });

  it.runIf(process.getuid?.() === 0)("runs as another user, in none of root's groups", async () => {
    await chmod(root, 0o755);
    const user = { uid: 65_534, gid: 65_534 };
    const probes = createNodeProbes({ scriptFolders: [folder], scriptUser: user });
    const { signal } = new AbortController();
    const { output } = await probes.run({ path: await script("id -u; id -G"), args: [] }, { signal });
    expect(output).toBe("65534\n65534\n");
  });

  it("waits for its turn within its own time", async () => {
    const probes = createNodeProbes({ scriptFolders: [folder], scriptsMax: 1 });
    const file = await script("sleep 1000");
    const first = new AbortController();
    const second = new AbortController();
    const runs = [first, second].map(({ signal }) => probes.run({ path: file, args: [] }, { signal }));
    second.abort(new Error("second"));
    await expect(runs[1]).rejects.toThrow("second");
    first.abort(new Error("first"));
    await expect(runs[0]).rejects.toThrow("first");
    const quick = await probes.run(
      { path: await script("exit 0"), args: [] },
      { signal: AbortSignal.timeout(5_000) },
    );
    expect(quick.exitCode).toBe(0);
  });
});
