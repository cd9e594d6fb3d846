import ConsistentHash from "consistent-hash";
import KetamaRing from "hashring";
import NodeHashRing from "node-hashring";

/** A ring as the benchmarks see it. */
export interface Subject {
  readonly name: string;

  /**
   * Looks up `keys[from]` to `keys[to - 1]`, in a loop of the subject's own, so that each is compiled for one ring only.
   *
   * @returns the lengths of what it found, summed
   */
  lookUp(keys: readonly string[], from: number, to: number): number;

  add(node: string): void;
  remove(node: string): void;
}

/** A ring of another package. */
export interface Peer extends Subject {
  /** Positions in ascending order with their owners, and the size of the space they lie in. */
  points(): { space: number; points: { position: number; owner: string }[] };
}

/** About as many points a node as @mon/hashring has by default. */
const POINTS = 150;

/** npm `consistent-hash`: random positions in 0 to 100,002, so each process has another ring. */
export function createConsistentHash(nodes: readonly string[]): Peer {
  const ring = new ConsistentHash();
  for (const node of nodes) ring.add(node, POINTS);
  return {
    name: "consistent-hash",
    lookUp: (keys, from, to) => {
      let lengths = 0;
      for (let i = from; i < to; i++) lengths += ring.get(keys[i]!)!.length;
      return lengths;
    },
    add: (node) => ring.add(node, POINTS),
    remove: (node) => ring.remove(node),
    points: () => {
      const points = nodes.flatMap((owner) => ring.getPoints(owner).map((position) => ({ position, owner })));
      return { space: 100_003, points: points.sort((a, b) => a.position - b.position) };
    },
  };
}

/** npm `node-hashring`: MurmurHash3; a node owns from its point to the next, which leaves shares as they are on average. */
export function createNodeHashring(nodes: readonly string[]): Peer {
  const ring = new NodeHashRing([...nodes], POINTS);
  return {
    name: "node-hashring",
    lookUp: (keys, from, to) => {
      let lengths = 0;
      // It answers undefined for some keys once two of its positions collide.
      for (let i = from; i < to; i++) lengths += ring.findNode(keys[i]!)?.length ?? 0;
      return lengths;
    },
    add: (node) => ring.addNode(node),
    remove: (node) => ring.removeNode(node),
    points: () => {
      // Its arcs begin at their point; mirrored, they end there as everyone else's do. Where positions collide, it leaves
      // holes at the end.
      const mirrored = ring.ring
        .filter((position) => position !== undefined)
        .map((position) => ({ position: 2 ** 32 - 1 - position, owner: ring.vnodeToNodeMap[position]! }));
      return { space: 2 ** 32, points: mirrored.reverse() };
    },
  };
}

/** npm `hashring`: ketama on MD5, four points a digest, and a cache of 5,000 keys. */
export function createKetama(nodes: readonly string[]): Peer {
  const ring = new KetamaRing([...nodes], "md5", { "vnode count": Math.ceil(POINTS / 4) });
  return {
    name: "hashring",
    lookUp: (keys, from, to) => {
      let lengths = 0;
      for (let i = from; i < to; i++) lengths += ring.get(keys[i]!).length;
      return lengths;
    },
    add: (node) => ring.add(node),
    remove: (node) => ring.remove(node),
    points: () => ({
      space: 2 ** 32,
      points: ring.ring.map(({ value, server }) => ({ position: value, owner: server })),
    }),
  };
}
