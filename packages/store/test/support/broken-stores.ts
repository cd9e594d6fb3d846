import {
  blockMs,
  type CatalogueOptions,
  type ColumnSlice,
  decodeSamples,
  type Fragment,
  fragmentFromSamples,
  type HostLatest,
  type LatestSample,
  MemoryStore,
  type MetricStore,
  type PackResult,
  type Partition,
  type ReadRequest,
  type SeriesSelector,
  seriesKey,
  type TrimResult,
  type WriteFate,
} from "../../src/index.ts";

/** Has room for one fragment an instant. */
class KeepsLastFragment extends MemoryStore {
  readonly #last = new Map<string, Fragment>();

  override async write(fragments: readonly Fragment[]): Promise<readonly WriteFate[]> {
    for (const fragment of fragments) {
      this.#last.set(`${fragment.hostId}/${fragment.timestampMs}`, {
        ...fragment,
        bytes: fragment.bytes.slice(),
      });
    }
    return super.write(fragments);
  }

  override async *read(request: ReadRequest): AsyncIterable<ColumnSlice> {
    await using survivors = new MemoryStore();
    await survivors.open();
    await survivors.write([...this.#last.values()]);
    yield* survivors.read(request);
  }
}

/** Takes what was written last for the latest. */
class LatestGoesBack extends MemoryStore {
  readonly #samples = new Map<string, Map<string, LatestSample>>();

  override async write(fragments: readonly Fragment[]): Promise<readonly WriteFate[]> {
    const fates = await super.write(fragments);
    for (const [i, { hostId, timestampMs, bytes }] of fragments.entries()) {
      if (fates[i]!.status !== "stored") continue;
      const host = this.#samples.get(hostId) ?? new Map<string, LatestSample>();
      this.#samples.set(hostId, host);
      for (const sample of decodeSamples(bytes)) host.set(seriesKey(sample), { ...sample, timestampMs });
    }
    return fates;
  }

  override async latest(hostIds: readonly string[]): Promise<readonly HostLatest[]> {
    const latest = await super.latest(hostIds);
    return latest.map((host) => ({
      ...host,
      samples: host.samples.map((sample) => this.#samples.get(host.hostId)!.get(seriesKey(sample))!),
    }));
  }
}

/** Reads whole hosts. */
class IgnoresRangeEnds extends MemoryStore {
  override read(request: ReadRequest): AsyncIterable<ColumnSlice> {
    return super.read({ ...request, startMs: 0, endMs: Number.MAX_SAFE_INTEGER });
  }
}

/** Takes the end of a range for excluded. */
class ExcludesRangeEnd extends MemoryStore {
  override read(request: ReadRequest): AsyncIterable<ColumnSlice> {
    return super.read({ ...request, endMs: request.endMs - 1 });
  }
}

/** Answers in the order in which blocks lie about. */
class AnswersBackwards extends MemoryStore {
  override async *read(request: ReadRequest): AsyncIterable<ColumnSlice> {
    const slices: ColumnSlice[] = [];
    for await (const slice of super.read(request)) slices.unshift(slice);
    yield* slices;
  }
}

/** Loses the marks of samples. */
class ForgetsFlags extends MemoryStore {
  override write(fragments: readonly Fragment[]): Promise<readonly WriteFate[]> {
    return super.write(
      fragments.map(({ hostId, timestampMs, bytes }) =>
        fragmentFromSamples(
          hostId,
          timestampMs,
          decodeSamples(bytes).map((sample) => ({ ...sample, flags: 0 })),
        ),
      ),
    );
  }
}

/** Acknowledges what it has refused. */
class AcknowledgesEverything extends MemoryStore {
  override async write(fragments: readonly Fragment[]): Promise<readonly WriteFate[]> {
    await super.write(fragments);
    return fragments.map(() => ({ status: "stored", durability: this.durability, copies: 1 }));
  }
}

/** Claims more than it gives. */
class TrimsTooMuch extends MemoryStore {
  override trim(beforeMs: number): Promise<TrimResult> {
    return super.trim(beforeMs + blockMs);
  }
}

/** Exports one fragment a partition. */
class ExportsInPart extends MemoryStore {
  override async *exportPartition(partition: Partition): AsyncIterable<Fragment> {
    for await (const fragment of super.exportPartition(partition)) {
      yield fragment;
      return;
    }
  }
}

/** Does not look at matchers. */
class IgnoresMatchers extends MemoryStore {
  override series({ matchers: _, ...selector }: SeriesSelector): ReturnType<MetricStore["series"]> {
    return super.series(selector);
  }
}

/** Has its own mind about how many series a host may have. */
class IgnoresSeriesLimit extends MemoryStore {
  constructor(_options?: CatalogueOptions) {
    super();
  }
}

/** Holds to the limit that it was made with. */
class IgnoresConfiguration extends MemoryStore {
  override configure(): void {}
}

/** Refuses whole fragments for a series too many. */
class RefusesWholeFragments extends MemoryStore {
  readonly #limit: number;

  constructor({ maxSeriesPerHost = 50_000 }: CatalogueOptions = {}) {
    super({ maxSeriesPerHost });
    this.#limit = maxSeriesPerHost;
  }

  override async write(fragments: readonly Fragment[]): Promise<readonly WriteFate[]> {
    const fates: WriteFate[] = [];
    for (const fragment of fragments) {
      const [host] = await collect(this.series({ hostIds: [fragment.hostId] }));
      const known = new Set(host?.series.map(seriesKey));
      const samples = fragment.bytes.length > 3 ? decodeSamples(fragment.bytes) : [];
      const isTooMuch =
        samples.filter((sample) => !known.has(seriesKey(sample))).length + known.size > this.#limit;
      if (isTooMuch) fates.push({ status: "rejected", reason: "expected fewer series" });
      else fates.push(...(await super.write([fragment])));
    }
    return fates;
  }
}

/** Reads all there is before it answers. */
class AnswersInOneSlice extends MemoryStore {
  override async *read(request: ReadRequest): AsyncIterable<ColumnSlice> {
    const slices = await collect(super.read(request));
    const columns = slices.flatMap((slice) => slice.columns);
    if (slices.length === 0) return;
    const { startMs } = slices[0]!;
    yield { startMs, endMs: slices.at(-1)!.endMs, columns, conflicts: 0, missing: [] };
  }
}

/** Makes one NaN of all. */
class ForgetsNaNPayloads extends MemoryStore {
  override async *read(request: ReadRequest): AsyncIterable<ColumnSlice> {
    for await (const slice of super.read(request)) {
      const columns = slice.columns.map((column) => ({
        ...column,
        values: column.values.map((value) => (Number.isNaN(value) ? Number.NaN : value)),
      }));
      yield { ...slice, columns };
    }
  }
}

/** Holds that what was packed is complete. */
class DropsLateFragments extends MemoryStore {
  #packedMs = Number.NEGATIVE_INFINITY;

  override async pack(closedBeforeMs = 0): Promise<PackResult> {
    this.#packedMs = Math.max(this.#packedMs, closedBeforeMs);
    return super.pack();
  }

  override async write(fragments: readonly Fragment[]): Promise<readonly WriteFate[]> {
    const fates = await super.write(fragments.filter(({ timestampMs }) => timestampMs >= this.#packedMs));
    return fragments.map((_, i) => fates[i] ?? { status: "stored", durability: "memory", copies: 1 });
  }
}

/** Does not tell upper case from lower. */
class FoldsHostIds extends MemoryStore {
  override read(request: ReadRequest): AsyncIterable<ColumnSlice> {
    return super.read({ ...request, hostId: request.hostId.toLowerCase() });
  }
}

/** Forgets what it knows of hosts when it trims. */
class TrimsMetadata extends MemoryStore {
  override async trim(beforeMs: number): Promise<TrimResult> {
    for (const { hostId, metadata } of await this.hosts({ limit: 100 })) {
      await this.setMetadata(hostId, Object.fromEntries(Object.keys(metadata).map((key) => [key, ""])));
    }
    return super.trim(beforeMs);
  }
}

async function collect<T>(items: AsyncIterable<T>): Promise<T[]> {
  const collected: T[] = [];
  for await (const item of items) collected.push(item);
  return collected;
}

/** Goes on after it was closed. */
class NeverCloses extends MemoryStore {
  override async close(): Promise<void> {}
}

/** A store that breaks the contract, and a claim of the suite that must notice. */
export interface BrokenStore {
  readonly Store: new (options?: CatalogueOptions) => MemoryStore;
  readonly claim: string;
  /** Whether the store says that it can be opened again; it then comes back empty. */
  readonly reopens?: boolean;
}

export const brokenStores: Readonly<Record<string, BrokenStore>> = {
  KeepsLastFragment: {
    Store: KeepsLastFragment,
    claim: "keeps all fragments of one instant, and folds them series by series (R4)",
  },
  LatestGoesBack: {
    Store: LatestGoesBack,
    claim: "knows the last value of each series, which never goes back (R19)",
  },
  IgnoresRangeEnds: { Store: IgnoresRangeEnds, claim: "includes both ends of a range and nothing beyond" },
  ExcludesRangeEnd: { Store: ExcludesRangeEnd, claim: "includes both ends of a range and nothing beyond" },
  AnswersBackwards: {
    Store: AnswersBackwards,
    claim: "answers in order of time across blocks, whatever the order of writing",
  },
  ForgetsFlags: { Store: ForgetsFlags, claim: "keeps the marks of samples" },
  AcknowledgesEverything: {
    Store: AcknowledgesEverything,
    claim: "rejects a fragment that is not canonical and stores the rest",
  },
  TrimsTooMuch: { Store: TrimsTooMuch, claim: "does not trim a block that ends after the cut" },
  ExportsInPart: { Store: ExportsInPart, claim: "moves partitions to another store, whole and idempotently" },
  IgnoresMatchers: {
    Store: IgnoresMatchers,
    claim: "lists series by host, and by matchers on host, name and labels",
  },
  IgnoresSeriesLimit: {
    Store: IgnoresSeriesLimit,
    claim:
      "never stores more series than the limit when fragments are written at once, nor refuses what it answered stored",
  },
  IgnoresConfiguration: {
    Store: IgnoresConfiguration,
    claim: "holds to another limit from when it is configured, and keeps the series that it has",
  },
  RefusesWholeFragments: {
    Store: RefusesWholeFragments,
    claim: "refuses samples of series beyond a host's limit, by place, and stores the rest of their fragment",
  },
  AnswersInOneSlice: {
    Store: AnswersInOneSlice,
    claim: "reads a month in slices of bounded size, before packing and after",
  },
  ForgetsNaNPayloads: {
    Store: ForgetsNaNPayloads,
    claim: "folds any two doubles that disagree alike, whichever comes first and however long after (R4)",
  },
  DropsLateFragments: {
    Store: DropsLateFragments,
    claim: "reads, lists and answers the same after packing, late fragments included",
  },
  FoldsHostIds: { Store: FoldsHostIds, claim: "never shows a host the data of another with a similar name" },
  TrimsMetadata: {
    Store: TrimsMetadata,
    claim: "equals a store in memory after any steps of writing, packing, trimming, moving",
  },
  NeverCloses: { Store: NeverCloses, claim: "closes twice, and refuses what comes after by code" },
  ComesBackEmpty: {
    Store: MemoryStore,
    claim: "has everything again after it was closed and opened",
    reopens: true,
  },
};
