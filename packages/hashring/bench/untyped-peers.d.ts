// What the benchmark uses of three packages that ship no types.

declare module "consistent-hash" {
  export default class ConsistentHash {
    constructor(options?: { range?: number });
    add(node: string, points?: number): this;
    remove(node: string): this;
    get(key: string): string | null;
    getPoints(node: string): number[];
  }
}

declare module "node-hashring" {
  export default class NodeHashRing {
    constructor(nodes: string[], virtualNodes?: number);
    /** Ascending positions. */
    readonly ring: (number | undefined)[];
    readonly vnodeToNodeMap: Record<number, string>;
    addNode(node: string): void;
    removeNode(node: string): void;
    findNode(key: string): string | undefined;
  }
}

declare module "hashring" {
  export default class HashRing {
    constructor(nodes: string[], algorithm?: string, options?: Record<string, unknown>);
    /** Ascending positions. */
    readonly ring: { value: number; server: string }[];
    add(node: string): this;
    remove(node: string): this;
    get(key: string): string;
  }
}
