import { createRing } from "../src/index.ts";
import { createRandom, nodeNames } from "./names.ts";
import { createConsistentHash, createKetama, createNodeHashring, type Subject } from "./peers.ts";

// How evenly rings share their key space: the heaviest node's share over the mean, for many sets of realistic names.
// Shares are exact, computed from positions. Prints a table: `node --conditions=@mon/source bench/balance.ts [sets]`.

const sets = Number(process.argv[2] ?? 1000);

function ofRing(hash: string): (nodes: string[]) => number {
  return (nodes) => {
    const ring = createRing({ members: nodes.map((id) => ({ id })), parameters: { hash } });
    return Math.max(...ring.shares().values()) * nodes.length;
  };
}

function ofPeer(create: (nodes: readonly string[]) => Subject): (nodes: string[]) => number {
  return (nodes) => {
    const { space, points } = create(nodes).points();
    const shares = new Map<string, number>();
    let previous = points.at(-1)!.position - space;
    for (const { position, owner } of points) {
      shares.set(owner, (shares.get(owner) ?? 0) + position - previous);
      previous = position;
    }
    return (Math.max(...shares.values()) / space) * nodes.length;
  };
}

const subjects = {
  "mon, crc32-fmix32": ofRing("crc32-fmix32"),
  "mon, crc32": ofRing("crc32"),
  "consistent-hash": ofPeer(createConsistentHash),
  "node-hashring": ofPeer(createNodeHashring),
  hashring: ofPeer(createKetama),
};

console.log(`heaviest share over the mean, ${sets} sets of names: p50 / p99 / max`);
for (const count of [3, 5, 7, 10, 100]) {
  for (const [name, heaviest] of Object.entries(subjects)) {
    const random = createRandom(1);
    const sorted = Array.from({ length: sets }, () => heaviest(nodeNames(count, random))).sort(
      (a, b) => a - b,
    );
    const quantile = (q: number): string => sorted[Math.min(sets - 1, Math.floor(q * sets))]!.toFixed(3);
    console.log(
      `${String(count).padStart(3)} nodes  ${name.padEnd(18)} ${quantile(0.5)} / ${quantile(0.99)} / ${quantile(1)}`,
    );
  }
}
