import { execFileSync } from "node:child_process";
import path from "node:path";
import { SetupError } from "../setup.mjs";
import { type Cluster, eventually } from "./cluster.ts";
import { freePorts } from "./free-ports.ts";
import { Program } from "./program.ts";

/** @throws {SetupError} when there is none */
export function describeEtcd(): string {
  try {
    const [first] = execFileSync("etcd", ["--version"], { encoding: "utf8" }).split("\n");
    return first!.replace("etcd Version:", "etcd");
  } catch {
    throw new SetupError("etcd is missing: apt-get install etcd-server (Debian's package)");
  }
}

/** Three members of etcd with default options, logs under `directory`. */
export async function startEtcd(directory: string): Promise<Cluster> {
  const names = ["a", "b", "c"];
  const ports = await freePorts(6);
  const members = names.map((name, at) => ({
    name,
    client: `http://127.0.0.1:${ports[2 * at]}`,
    peer: `http://127.0.0.1:${ports[2 * at + 1]}`,
    port: ports[2 * at]!,
  }));
  const initialCluster = members.map(({ name, peer }) => `${name}=${peer}`).join();
  await using stack = new AsyncDisposableStack();
  const processes = members.map(({ client, name, peer }) =>
    stack.use(
      Program.start(
        "etcd",
        [
          ...["--name", name, "--data-dir", path.join(directory, `etcd-${name}`)],
          ...["--listen-client-urls", client, "--advertise-client-urls", client],
          ...["--listen-peer-urls", peer, "--initial-advertise-peer-urls", peer],
          ...["--initial-cluster", initialCluster, "--logger", "zap", "--log-level", "error"],
        ],
        { logFile: path.join(directory, `etcd-${name}.log`) },
      ),
    ),
  );
  const leader = await eventually("etcd to elect a leader", async () => {
    for (const member of members) {
      if ((await metric(member.client, "etcd_server_is_leader")) === 1) return member;
    }
    return undefined;
  });
  const owned = stack.move();
  return {
    name: "etcd",
    pids: processes.map(({ pid }) => pid),
    leaderPort: leader.port,
    logSyncs: async () => {
      const counts = members.map(({ client }) =>
        metric(client, "etcd_disk_wal_fsync_duration_seconds_count"),
      );
      return (await Promise.all(counts)).reduce((sum, count) => sum + count, 0);
    },
    [Symbol.asyncDispose]: () => owned.disposeAsync(),
  };
}

async function metric(url: string, name: string): Promise<number> {
  const text = await (await fetch(`${url}/metrics`)).text();
  const line = text.split("\n").find((each) => each.startsWith(`${name} `));
  if (line === undefined) throw new Error(`expected a metric ${name}, got none`);
  return Number(line.slice(name.length + 1));
}
