import ConsistentHash from "consistent-hash";
import KetamaRing from "hashring";
import NodeHashRing from "node-hashring";

/** A ring as the benchmarks see it. */
export interface Subject {
  readonly name: string;
  lookup(key: string): string | null | undefined;
  add(node: string): void;
  remove(node: string): void;
  /** Positions in ascending order with their owners, and the size of the space they lie in. */
  points(): { space: number; points: { position: number; owner: string }[] };
}

/** About as many points a node as @mon/hashring has by default. */
const POINTS = 150;

/** npm `consistent-hash`: random positions in 0 to 100,002, so each process has another ring. */
export function createConsistentHash(nodes: readonly string[]): Subject {
  const ring = new ConsistentHash();
  for (const node of nodes) ring.add(node, POINTS);
  return {
    name: "consistent-hash",
    lookup: (key) => ring.get(key),
    add: (node) => ring.add(node, POINTS),
    remove: (node) => ring.remove(node),
    points: () => {
      const points = nodes.flatMap((owner) => ring.getPoints(owner).map((position) => ({ position, owner })));
      return { space: 100_003, points: points.sort((a, b) => a.position - b.position) };
    },
  };
}

/** npm `node-hashring`: MurmurHash3; a node owns from its point to the next, which leaves shares as they are on average. */
export function createNodeHashring(nodes: readonly string[]): Subject {
  const ring = new NodeHashRing([...nodes], POINTS);
  return {
    name: "node-hashring",
    lookup: (key) => ring.findNode(key),
    add: (node) => ring.addNode(node),
    remove: (node) => ring.removeNode(node),
    points: () => {
      // Its arcs begin at their point; mirrored, they end there as everyone else's do.
      const mirrored = ring.ring.map((position) => ({
        position: 2 ** 32 - 1 - position,
        owner: ring.vnodeToNodeMap[position]!,
      }));
      return { space: 2 ** 32, points: mirrored.reverse() };
    },
  };
}

/** npm `hashring`: ketama on MD5, four points a digest, and a cache of 5,000 keys. */
export function createKetama(nodes: readonly string[]): Subject {
  const ring = new KetamaRing([...nodes], "md5", { "vnode count": Math.ceil(POINTS / 4) });
  return {
    name: "hashring",
    lookup: (key) => ring.get(key),
    add: (node) => ring.add(node),
    remove: (node) => ring.remove(node),
    points: () => ({
      space: 2 ** 32,
      points: ring.ring.map(({ value, server }) => ({ position: value, owner: server })),
    }),
  };
}
