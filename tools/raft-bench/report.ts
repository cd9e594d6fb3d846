import { percentile } from "../bench/percentile.ts";
import { type Spread, spread } from "../bench/results.ts";
import { markdownTable } from "../bench/table.ts";
import type { CoreRound, GrowthStage, Throughput } from "./core-race.ts";
import { type Lane, lanes, type PutRace, type PutVisit } from "./put-race.ts";
import { profiledClients, type UnaryProfile } from "./unary-profile.ts";

/** How long a member took to start, by what its log held. */
export interface Restart {
  readonly entries: number;
  readonly snapshot: boolean;
  readonly openMs: number;
  readonly readyMs: number;
}

export function coreSection(rounds: readonly CoreRound[], seconds: number): string {
  const rows = rounds[0]!.mon.map(({ proposers }, at): string[] => {
    const of = (who: "mon" | "hashicorp", pick: (one: Throughput) => number): Spread | undefined => {
      const values = rounds.flatMap((round) => round[who]?.[at] ?? []).map(pick);
      return values.length === 0 ? undefined : spread(values);
    };
    const mon = of("mon", ({ perSecond }) => perSecond)!;
    const floor = spread(
      rounds.map(({ floorPerSecond, mon: lines }) => lines[at]!.perSecond / floorPerSecond),
    );
    const hashicorp = of("hashicorp", ({ perSecond }) => perSecond);
    const ratios = rounds.flatMap(({ hashicorp: lines, mon: own }) =>
      lines === undefined ? [] : own[at]!.perSecond / lines[at]!.perSecond,
    );
    return [
      String(proposers),
      ranged(mon, whole),
      ranged(of("mon", ({ cpuUs }) => cpuUs)!, twoDigits),
      ranged(of("mon", ({ p50Us }) => p50Us)!, whole),
      ranged(of("mon", ({ p99Us }) => p99Us)!, whole),
      `${(100 * floor.median).toFixed(1)} %`,
      ...(hashicorp === undefined
        ? []
        : [
            ranged(hashicorp, whole),
            ranged(of("hashicorp", ({ cpuUs }) => cpuUs)!, twoDigits),
            ranged(of("hashicorp", ({ p50Us }) => p50Us)!, whole),
            ranged(of("hashicorp", ({ p99Us }) => p99Us)!, whole),
            ranged(spread(ratios), twoDigits),
          ]),
    ];
  });
  const head = ["proposers", "entries/s", "CPU µs/entry", "p50 µs", "p99 µs", "of the floor"];
  const rival = ["hashicorp entries/s", "CPU µs/entry", "p50 µs", "p99 µs", "× hashicorp"];
  const withRival = rounds[0]!.hashicorp !== undefined;
  const floor = spread(rounds.map(({ floorPerSecond }) => floorPerSecond));
  return `## Core and driver alone

${markdownTable([...head, ...(withRival ? rival : [])], rows)}

Three members in one process, logs and network in memory, default options, entries of 256 B: a proposer proposes its next entry
when the one before is applied. Medians of n = ${rounds.length} rounds of ${seconds} s, the range in brackets; each visit is a process of its own.
The floor, ${ranged(floor, whole)} entries/s, puts fields and data of the same entry into one buffer and takes its CRC-32.
${withRival ? "hashicorp/raft is Debian's, with its in-memory log, snapshots and network; Go uses all cores, Node one.\n" : ""}`;
}

export function growthSection(
  memory: readonly GrowthStage[],
  disk: readonly GrowthStage[],
  restarts: readonly Restart[],
): string {
  const rows = memory.map(({ cpuUs, entries, perSecond }) => {
    const onDisk = disk.find((stage) => stage.entries === entries);
    return [
      whole(entries),
      twoDigits(cpuUs),
      whole(perSecond),
      onDisk === undefined ? "" : twoDigits(onDisk.cpuUs),
      onDisk === undefined ? "" : whole(onDisk.perSecond),
    ];
  });
  const restartRows = restarts.map(({ entries, openMs, readyMs, snapshot }) => [
    `${whole(entries)} entries, ${snapshot ? "after a snapshot" : "no snapshot"}`,
    whole(openMs),
    whole(readyMs),
  ]);
  return `## Length of the log

${markdownTable(["entries in the log", "memory, CPU µs/entry", "entries/s", "disk, CPU µs/entry", "entries/s"], rows)}

Memory: three members as above, 256 proposers, filled from empty; disk: one member on @mon/raft-level with a sync for each
append, 1,024 proposers, the last half of so many (all of the first 1,000).

${markdownTable(["restart", "open ms", "ready ms"], restartRows)}

Open: everything on disk verified and read. Ready: the member leads, has applied all that was committed, and has committed
something new. The snapshot holds 10,000 values of 256 B; 10,240 entries before it are kept.
`;
}

export function putSection({ floors, visits }: PutRace, seconds: number, etcd: string): string {
  const counts = [...new Set(visits.map(({ clients }) => clients))];
  const rows = counts.flatMap((clients) =>
    lanes.map((lane) => putRow(lane, clients, visits)).filter((row) => row !== undefined),
  );
  const sync = spread(floors.map(({ syncMs }) => syncMs));
  const roundTrip = spread(floors.map(({ roundTripMs }) => roundTripMs));
  const floorMs = sync.median + roundTrip.median;
  const single = visitsOf("mon stream", 1, visits);
  const verdict =
    single.length === 0
      ? ""
      : ` One client by the stream door waits ${(spread(single.map(({ p50Ms }) => p50Ms)).median / floorMs).toFixed(2)} × as long as that sum, etcd's ${(spread(visitsOf("etcd", 1, visits).map(({ p50Ms }) => p50Ms)).median / floorMs).toFixed(2)} ×.`;
  const head = [
    "clients",
    "server",
    "puts/s",
    "p50 ms",
    "p99 ms",
    "server CPU s/1,000 puts",
    "log syncs/1,000 puts",
    "client CPU µs/put",
    "failed",
    "× etcd",
  ];
  return `## Puts of 256 B beside etcd

${markdownTable(head, rows)}

Three local members each, default options, data on one disk: ${etcd}, and the key-value service of \`tools/raft-service\`. Puts go
to the leader, each client's next when the one before is acknowledged; 10,000 keys. Medians of n = ${floors.length} rounds of ${seconds} s, the range
in brackets; lanes take turns. The client is one process, hand-made HTTP/2 on a socket for all three: etcd and "unary" get the
same calls, "stream" one stream with the puts of a turn of the event loop in a message. CPU is user and system time of
all members. Log syncs are of all members: etcd's by its own count of WAL syncs, ours are synced batches of the log.

A sync of an append of 256 B takes ${ranged(sync, (ms) => ms.toFixed(3))} ms there, a round trip by a stream of bare node:http2 ${ranged(roundTrip, (ms) => ms.toFixed(3))} ms.${verdict}
`;
}

export function unarySection({ functions, packages, putsPerSecond }: UnaryProfile): string {
  const rows = (all: readonly { readonly name: string; readonly usPerPut: number }[]): string[][] =>
    all.map(({ name, usPerPut }) => [name, usPerPut.toFixed(1)]);
  const sum = packages.reduce((total, { usPerPut }) => total + usPerPut, 0);
  return `### Where a unary put goes

${markdownTable(
  ["package", "µs/put"],
  rows(packages.map(({ packageName: name, usPerPut }) => ({ name, usPerPut }))),
)}

${markdownTable(
  ["function", "µs/put"],
  rows(functions.map(({ functionName: name, usPerPut }) => ({ name, usPerPut }))),
)}

The leader's main thread with ${profiledClients} concurrent calls, in a cluster of its own: ${sum.toFixed(1)} µs a put at ${whole(putsPerSecond)} puts/s, while profiled.
`;
}

function putRow(lane: Lane, clients: number, visits: readonly PutVisit[]): string[] | undefined {
  const own = visitsOf(lane, clients, visits);
  if (own.length === 0) return undefined;
  const etcd = visitsOf("etcd", clients, visits);
  const of = (pick: (visit: PutVisit) => number): Spread => spread(own.map(pick));
  const ratio = spread(own.map((visit, round) => rateOf(visit) / rateOf(etcd[round]!)));
  return [
    whole(clients),
    lane,
    ranged(of(rateOf), whole),
    ranged(
      of(({ p50Ms }) => p50Ms),
      twoDigits,
    ),
    ranged(
      of(({ p99Ms }) => p99Ms),
      twoDigits,
    ),
    of(({ puts, serverCpuSeconds }) => (1_000 * serverCpuSeconds) / puts).median.toFixed(3),
    of(({ puts, syncs }) => (1_000 * syncs) / puts).median.toFixed(1),
    of(({ clientCpuSeconds, puts }) => (1e6 * clientCpuSeconds) / puts).median.toFixed(1),
    whole(own.reduce((sum, { failed }) => sum + failed, 0)),
    ranged(ratio, twoDigits),
  ];
}

function visitsOf(lane: Lane, clients: number, visits: readonly PutVisit[]): PutVisit[] {
  return visits.filter((visit) => visit.lane === lane && visit.clients === clients);
}

function rateOf({ puts, seconds }: PutVisit): number {
  return puts / seconds;
}

export function failoverSection(taken: readonly number[]): string {
  const sorted = Float64Array.from(taken).sort();
  const at = (share: number): string => whole(percentile(sorted, share));
  const row = [String(taken.length), at(0.01), at(0.5), at(0.9), at(1)];
  return `## Failover

${markdownTable(["kills", "least ms", "median ms", "p90 ms", "worst ms"], [row])}

The leader of the same service gets SIGKILL under the load of 64 clients, with default timeouts: election 1,000 ms, drawn up to twice
that, heartbeat 100 ms. Time until a put sent after the kill is acknowledged by a member that is left.
`;
}

function ranged({ median, min, max }: Spread, format: (value: number) => string): string {
  if (min === max) return format(median);
  return `${format(median)} [${format(min)}–${format(max)}]`;
}

function whole(value: number): string {
  return Math.round(value).toLocaleString("en");
}

function twoDigits(value: number): string {
  return value.toFixed(2);
}
