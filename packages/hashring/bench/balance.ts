import { writeFileSync } from "node:fs";
import { parseArgs } from "node:util";
import { createRing } from "../src/index.ts";
import { createRandom, nodeNames } from "./names.ts";
import { createConsistentHash, createKetama, createNodeHashring, type Peer } from "./peers.ts";

// How evenly rings share their key space: the heaviest node's share over the mean, for many sets of realistic names.
// Shares are exact, computed from positions. `npm run bench:balance -- --write` also writes balance.md.

const { values } = parseArgs({
  options: { sets: { type: "string", default: "1000" }, write: { type: "boolean", default: false } },
});
const sets = Number(values.sets);

/** The heaviest node's share over the mean, of a ring over these nodes. */
type Heaviest = (nodes: readonly string[]) => number;

function ofRing(hash: string): Heaviest {
  return (nodes) => {
    const ring = createRing({ members: nodes.map((id) => ({ id })), parameters: { hash } });
    return Math.max(...ring.shares().values()) * nodes.length;
  };
}

function ofPeer(create: (nodes: readonly string[]) => Peer): Heaviest {
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

/** The smallest value that at least this part of all do not exceed. */
function quantile(sorted: readonly number[], part: number): string {
  return sorted[Math.ceil(part * sorted.length) - 1]!.toFixed(3);
}

const subjects: Readonly<Record<string, Heaviest>> = {
  "mon, crc32-fmix32 (default)": ofRing("crc32-fmix32"),
  "mon, crc32": ofRing("crc32"),
  "consistent-hash": ofPeer(createConsistentHash),
  "node-hashring": ofPeer(createNodeHashring),
  hashring: ofPeer(createKetama),
};

function row(nodes: string, ring: string, figures: readonly string[]): string {
  return `| ${nodes.padEnd(5)} | ${ring.padEnd(27)} | ${figures.map((figure) => figure.padEnd(5)).join(" | ")} |`;
}

const head = row("nodes", "ring", ["p50", "p99", "max"]);
const rows = [head, row("-".repeat(5), "-".repeat(27), ["-----", "-----", "-----"])];
for (const count of [3, 5, 7, 10, 100]) {
  for (const [name, heaviest] of Object.entries(subjects)) {
    const random = createRandom(1);
    const sorted = Array.from({ length: sets }, () => heaviest(nodeNames(count, random))).sort(
      (a, b) => a - b,
    );
    const figures = [quantile(sorted, 0.5), quantile(sorted, 0.99), quantile(sorted, 1)];
    rows.push(row(String(count), name, figures));
    console.log(rows.at(-1));
  }
}

if (values.write) {
  const text = `# Balance

Written by \`npm run bench:balance -- --write\`. The heaviest node's share of the key space over the mean share, at 150 points
a node, over ${sets} sets of names: addresses, pods of StatefulSets and Deployments, FQDNs (\`names.ts\`, seed 1). Shares are
exact, not sampled. \`consistent-hash\` draws its positions at random, so its rows differ a little from run to run; the
others do not.

${rows.join("\n")}
`;
  writeFileSync(new URL("balance.md", import.meta.url), text);
}
