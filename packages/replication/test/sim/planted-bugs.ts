import type { WriteFate } from "@mon/store";
import { Copier, Topology } from "../../src/index.ts";
import { Tally } from "../../src/tally.ts";
import { SimStore } from "./sim-store.ts";
import type { SimulationOptions } from "./simulation.ts";

/**
 * A rule switched off in the running code, by replacing methods: nothing of it is in the code that is shipped.
 */
export interface PlantedBug {
  readonly rule: string;
  readonly name: string;
  /** The first seed that is known to find it; later ones do too, but not each. */
  readonly seed: number;
  /** How a run must differ to have it. */
  readonly options?: Partial<SimulationOptions>;
  /** What takes it out of {@link options} again. */
  readonly sound?: Partial<SimulationOptions>;
  /** Puts it in; the function that is returned takes it out again. */
  plant?(): () => void;
}

/** Replaces a method. */
function method(
  owner: { readonly prototype: object },
  name: string,
  // biome-ignore lint/suspicious/noExplicitAny: methods of all classes.
  make: (original: (...args: any[]) => any) => (this: any, ...args: any[]) => unknown,
): () => void {
  const descriptor = Object.getOwnPropertyDescriptor(owner.prototype, name);
  if (descriptor === undefined) throw new Error(`expected a method ${name}`);
  const { value } = descriptor;
  Object.defineProperty(owner.prototype, name, {
    ...descriptor,
    value: make(function call(this: unknown, ...args) {
      return value.apply(this, args);
    }),
  });
  return () => Object.defineProperty(owner.prototype, name, descriptor);
}

export const plantedBugs: readonly PlantedBug[] = [
  {
    rule: "R21",
    name: "one copy is acknowledged as a majority",
    seed: 6,
    plant: () =>
      method(
        Tally,
        "add",
        (add) =>
          function twice(this: Tally, fate: WriteFate) {
            add.call(this, fate);
            if (fate.status === "stored") add.call(this, fate);
          },
      ),
  },
  {
    rule: "R21",
    name: "a copy is acknowledged before it is on disk",
    seed: 11,
    plant: () =>
      method(
        SimStore,
        "write",
        (write) =>
          async function early(this: SimStore, fragments: readonly unknown[]) {
            void write.call(this, fragments);
            return fragments.map(() => ({ status: "stored", durability: "fsync", copies: 1 }));
          },
      ),
  },
  {
    rule: "R22",
    name: "a request of any epoch is taken",
    seed: 8,
    sound: { prepare: () => {} },
    options: {
      prepare: (simulation) => {
        simulation.network.bend = (_, to, request) => {
          const { epoch } = simulation.brokers.get(to)!.book;
          return { ...(request as object), epoch };
        };
      },
    },
  },
  {
    rule: "R23",
    name: "reads ask the members of the newest ring only",
    seed: 1,
    plant: () =>
      method(
        Topology,
        "holders",
        () =>
          function newest(this: Topology, hostId: string, timestampMs: number) {
            const nodeIds = this.forWrites.candidates(hostId, timestampMs, this.standInsMax);
            return { nodeIds, quorum: this.forWrites.quorum };
          },
      ),
  },
  {
    rule: "R23",
    name: "reads ask owners only, and none who stood in for one",
    seed: 1,
    plant: () =>
      method(
        Topology,
        "holders",
        () =>
          function owners(this: Topology, hostId: string, timestampMs: number) {
            const nodeIds = new Set(this.placements.flatMap((each) => each.owners(hostId, timestampMs)));
            return {
              nodeIds: [...nodeIds],
              quorum: Math.min(...this.placements.map(({ quorum }) => quorum)),
            };
          },
      ),
  },
  {
    rule: "R24",
    name: "a target says that it has copied what it has not",
    seed: 1,
    plant: () => method(Copier, "pull", () => async () => ({ fragments: 0, bytes: 0 })),
  },
  {
    rule: "R24",
    name: "a range is deleted instead of what the manifest names",
    seed: 2,
    plant: () =>
      method(
        SimStore,
        "removeFragments",
        (remove) =>
          async function range(this: SimStore, partition: never) {
            const all = [];
            for await (const fragment of this.exportPartition(partition)) all.push(fragment);
            return remove.call(this, partition, all);
          },
      ),
  },
  {
    rule: "R25",
    name: "a holder deletes without asking whether the owners have it",
    seed: 6,
    plant: () => method(Copier, "push", () => async () => ({ fragments: 0, bytes: 0 })),
  },
  {
    rule: "R25",
    name: "what was given up is deleted while reads are under way that count on it",
    seed: 4,
    sound: { graceMs: 1_500 },
    options: {
      graceMs: 0,
      members: 2,
      script: [],
      doubt: 0.3,
      prepare: ({ network }) => {
        network.weather = { loss: 0, delayMsMin: 1, delayMsMax: 200 };
      },
    },
  },
  {
    rule: "R26",
    name: "nothing is repaired",
    seed: 1,
    options: { doesRepair: false },
    sound: { doesRepair: true },
  },
];
