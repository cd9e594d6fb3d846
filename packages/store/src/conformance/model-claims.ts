import { expect, it } from "vitest";
import { blockMs, blockStart } from "../block.ts";
import { type Fragment, fragmentId } from "../fragment.ts";
import type { MatchType } from "../matcher.ts";
import { MemoryStore } from "../memory-store.ts";
import { Kind, type Sample } from "../sample.ts";
import type { MetricStore } from "../store.ts";
import {
  collect,
  contentsOf,
  createRandom,
  doubleClasses,
  readBits,
  report,
  type Subject,
  sampleOfBits,
  seriesKeys,
  t0,
  writeTo,
} from "./subject.ts";

const hostIds = ["a", "a.b", "a-1", "b"];
const stepsPerRun = 16;

/** Programs of a host: more than a catalogue remembers shapes of, some with series in common. */
const programs: readonly (readonly string[])[] = Array.from({ length: 12 }, (_, i) =>
  i < 6 ? [`m${i}`, `n${i}`] : ["shared", `m${i % 6}`, `own_${i}`],
);

/** Any interleaving of what a store can be asked. */
export function modelClaims(subject: Subject): void {
  const { seed, histories } = subject;

  it(`equals a store in memory after any steps of writing, packing, trimming, moving${subject.canReopen ? " and reopening" : ""}`, async () => {
    for (let run = 0; run < histories; run++) {
      const history = new History(subject, seed + run);
      try {
        await history.live();
      } catch (error) {
        throw new Error(`with seed ${seed + run}, after:\n${history.steps.join("\n")}`, { cause: error });
      }
    }
  }, 1_800_000);
}

/** One run: a store, the model beside it, and what was done to both. */
class History {
  readonly steps: string[] = [];
  readonly #subject: Subject;
  readonly #random: () => number;
  #store!: MetricStore;
  #model: MemoryStore = new MemoryStore();
  /** Nothing is written that is older than what was trimmed: brokers have such a window. */
  #trimmedMs = t0;
  readonly #written: Fragment[] = [];

  constructor(subject: Subject, seed: number) {
    this.#subject = subject;
    this.#random = createRandom(seed);
  }

  async live(): Promise<void> {
    await this.#model.open();
    this.#store = await this.#subject.open();
    for (let i = 0; i < stepsPerRun; i++) {
      await this.#step();
      if (this.#chance(0.3)) await this.#compare();
    }
    await this.#compare();
  }

  #step(): Promise<void> {
    const steps: readonly [weight: number, step: () => Promise<void>][] = [
      [6, () => this.#write()],
      [2, () => this.#writeAtOnce()],
      [1, () => this.#repeat()],
      [3, () => this.#pack()],
      [1, () => this.#trim()],
      [1, () => this.#move()],
      [1, () => this.#importOwn()],
      [1, () => this.#describe()],
      [this.#subject.canReopen ? 2 : 0, () => this.#reopen()],
    ];
    let at = this.#random() * steps.reduce((sum, [weight]) => sum + weight, 0);
    for (const [weight, step] of steps) {
      at -= weight;
      if (at < 0) return step();
    }
    return this.#write();
  }

  async #write(): Promise<void> {
    const fragments = this.#fragments();
    this.#note(`write ${fragments.map(describe).join(", ")}`);
    await writeTo(this.#store, fragments);
    await this.#model.write(fragments);
  }

  /** Writes, packs and reads at the same time. */
  async #writeAtOnce(): Promise<void> {
    const fragments = [...this.#fragments(), ...this.#fragments()];
    const closedMs = this.#instant();
    this.#note(`at once: pack before ${closedMs - t0}, write ${fragments.map(describe).join(", ")}`);
    const store = this.#store;
    await Promise.all([
      ...fragments.map((fragment) => writeTo(store, [fragment])),
      store.pack(closedMs),
      readBits(store, { hostId: "a", startMs: 0, endMs: 2 * t0 }),
    ]);
    await this.#model.write(fragments);
  }

  async #repeat(): Promise<void> {
    const fragments = this.#written.filter(
      ({ timestampMs }) => timestampMs >= this.#trimmedMs && this.#chance(0.3),
    );
    this.#note(`write again ${fragments.map(describe).join(", ")}`);
    await writeTo(this.#store, fragments);
    await this.#model.write(fragments);
  }

  async #pack(): Promise<void> {
    const closedMs = this.#instant() + 2 * blockMs;
    this.#note(`pack before ${closedMs - t0}`);
    await this.#store.pack(closedMs);
  }

  async #trim(): Promise<void> {
    this.#trimmedMs += Math.floor(this.#random() * 2 * blockMs);
    this.#note(`trim before ${this.#trimmedMs - t0}`);
    expect(await this.#store.trim(this.#trimmedMs)).toEqual(await this.#model.trim(this.#trimmedMs));
  }

  /** Goes on with new stores that have imported all there is. */
  async #move(): Promise<void> {
    this.#note("export all, import into a new store");
    const store = await this.#subject.open();
    const model = new MemoryStore();
    await model.open();
    await moveAll(this.#store, store);
    await moveAll(this.#model, model);
    this.#store = store;
    this.#model = model;
  }

  async #importOwn(): Promise<void> {
    this.#note("export all, import into the same store");
    await moveAll(this.#store, this.#store);
    await moveAll(this.#model, this.#model);
  }

  async #describe(): Promise<void> {
    const hostId = this.#pick(hostIds);
    const metadata = { [this.#pick(["os", "agent"])]: String(this.#random()) };
    this.#note(`set metadata of ${hostId}`);
    await this.#store.setMetadata(hostId, metadata);
    await this.#model.setMetadata(hostId, metadata);
  }

  async #reopen(): Promise<void> {
    this.#note("close and open again");
    this.#store = await this.#subject.reopen(this.#store);
  }

  async #compare(): Promise<void> {
    expect(await contentsOf(this.#store, hostIds)).toEqual(await contentsOf(this.#model, hostIds));
    const hostId = this.#pick(hostIds);
    const [startMs, endMs] = [this.#instant(), this.#instant()].sort((a, b) => a - b) as [number, number];
    const request = { hostId, startMs, endMs };
    expect(await readBits(this.#store, request)).toEqual(await readBits(this.#model, request));
    const type = this.#pick<MatchType>(["=~", "!~"]);
    const selector = {
      matchers: [
        {
          label: "__name__",
          type,
          value: this.#pick(["m.*", "shared|n1", "o.+[79]"]),
        },
      ],
    };
    expect(await seriesKeys(this.#store, selector)).toEqual(await seriesKeys(this.#model, selector));
  }

  #fragments(): Fragment[] {
    const fragments = Array.from({ length: 1 + Math.floor(this.#random() * 8) }, () => {
      const program = Math.floor(this.#random() * programs.length);
      return report(this.#pick(hostIds), this.#instant(), ...this.#samples(programs[program]!));
    });
    this.#written.push(...fragments);
    return fragments;
  }

  #samples(names: readonly string[]): Sample[] {
    return names.map((name) => {
      const flags = this.#chance(0.1) ? 1 : 0;
      const kind = this.#chance(0.05) ? Kind.gauge : Kind.counter;
      return { ...sampleOfBits(name, this.#pick(doubleClasses), flags), kind };
    });
  }

  /** Within four hours of what was trimmed; often one that others have, or where blocks meet. */
  #instant(): number {
    if (this.#chance(0.3)) return this.#trimmedMs + blockMs * Math.floor(this.#random() * 4);
    const instant = this.#trimmedMs + Math.floor(this.#random() * 4 * blockMs);
    if (this.#chance(0.7)) return instant;
    const edge = blockStart(this.#pick(hostIds), instant) + this.#pick([0, blockMs - 1]);
    return Math.max(edge, this.#trimmedMs);
  }

  #chance(probability: number): boolean {
    return this.#random() < probability;
  }

  #pick<T>(items: readonly T[]): T {
    return items[Math.floor(this.#random() * items.length)]!;
  }

  #note(step: string): void {
    this.steps.push(step);
  }
}

function describe(fragment: Fragment): string {
  return `${fragment.hostId}@${fragment.timestampMs - t0}#${fragmentId(fragment).slice(0, 4)}`;
}

async function moveAll(from: MetricStore, to: MetricStore): Promise<void> {
  for (const partition of await collect(from.partitions())) {
    // Read first: a store may import into what it exports from.
    const fragments = await collect(from.exportPartition(partition));
    async function* exported(): AsyncIterable<Fragment> {
      yield* fragments;
    }
    const receipt = await to.importPartition(partition, exported());
    expect(receipt).toEqual({ fragments: fragments.length, durability: to.durability });
  }
}
