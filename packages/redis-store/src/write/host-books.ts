import type { Fragment, Kind, StoreError } from "@mon/store";
import type { KeySpace } from "../keys/key-space.ts";
import { askEach, bytesOf, numberOf, textOf } from "../read/ask.ts";
import type { Servers } from "../servers/servers.ts";
import { slotOf } from "../servers/slot.ts";
import { condense } from "./condense.ts";
import { HostBook, type LoadedHost, statementsMaxAfter } from "./host-book.ts";
import { KnownSeries } from "./known-series.ts";
import type { KnownShapes } from "./known-shapes.ts";

/** What books are kept with. */
export interface HostBooksDeps {
  readonly servers: Servers;
  readonly keys: KeySpace;
  readonly shapes: KnownShapes;
  readonly bucketMs: number;
  readonly now: () => number;
  /** Hosts that are kept in mind; the eldest are forgotten, and loaded when they are written again. */
  readonly booksMax: number;
}

/** Hosts loaded at a time. */
const hostsPerLoad = 1_000;

/** What a writer knows of the hosts that it has written to. */
export class HostBooks {
  readonly #deps: HostBooksDeps;
  readonly #books = new Map<string, HostBook>();
  /** Sets of series that hosts were loaded with, by a text that tells them apart. */
  readonly #shared = new Map<string, WeakRef<KnownSeries>>();
  readonly #condensing = new Map<string, Promise<void>>();

  constructor(deps: HostBooksDeps) {
    this.#deps = deps;
    deps.servers.on("changed", this.#onChanged);
  }

  readonly #onChanged = (): void => {
    // What links said before may not hold on others (R14); versions are checked with each write.
    for (const book of this.#books.values()) book.openIncarnation = 0;
  };

  get(hostId: string): HostBook | undefined {
    return this.#books.get(hostId);
  }

  /** Drops a book, unless another has taken its place. */
  forget(book: HostBook): void {
    if (this.#books.get(book.hostId) === book) this.#books.delete(book.hostId);
  }

  /** Drops what is known of a host, because it has lost series. */
  drop(hostId: string): void {
    this.#books.delete(hostId);
  }

  /** Hosts of some fragments that have no book, each once. */
  unknownOf(fragments: readonly Fragment[], places: readonly number[]): readonly string[] {
    let unknown: Set<string> | undefined;
    for (const place of places) {
      const { hostId } = fragments[place]!;
      if (!this.#books.has(hostId)) unknown = (unknown ?? new Set()).add(hostId);
    }
    return unknown === undefined ? none : [...unknown];
  }

  /** Loads hosts (R28). @returns those that could not be loaded, and why */
  async load(hostIds: readonly string[]): Promise<ReadonlyMap<string, StoreError>> {
    const { servers, keys, now } = this.#deps;
    const failures = new Map<string, StoreError>();
    for (let begin = 0; begin < hostIds.length; begin += hostsPerLoad) {
      const page = hostIds.slice(begin, begin + hostsPerLoad);
      const answers = await askEach(
        servers,
        page.map((hostId) => ({
          slot: slotOf(hostId),
          // The version first: series that come after it make the first write try again.
          encode: (commands) =>
            commands
              .begin(3)
              .text("HGET")
              .text(keys.host(hostId))
              .text("v")
              .begin(2)
              .text("HLEN")
              .text(keys.host(hostId))
              .begin(2)
              .text("HGETALL")
              .text(keys.series(hostId)),
        })),
      );
      for (const [i, hostId] of page.entries()) {
        const answer = answers[i]!;
        if (answer.error !== undefined) {
          failures.set(hostId, answer.error);
          continue;
        }
        // Somebody else may have loaded it meanwhile, and gone on from there.
        if (this.#books.has(hostId)) continue;
        const [version, length, series] = answer.replies;
        this.#add(hostId, {
          atMs: now(),
          version: textOf(version) ?? "",
          statements: numberOf(length) >> 1,
          series: this.#seriesOf(bytesOf(series)),
        });
      }
    }
    return failures;
  }

  #add(hostId: string, loaded: LoadedHost): void {
    const { keys, bucketMs, booksMax } = this.#deps;
    if (this.#books.size >= booksMax) {
      const [eldest] = this.#books.keys();
      this.#books.delete(eldest!);
    }
    this.#books.set(hostId, new HostBook(hostId, keys, bucketMs, loaded));
  }

  #seriesOf(entries: readonly Uint8Array[]): KnownSeries {
    if (entries.length === 0) return KnownSeries.none;
    const kinds: [id: string, kind: Kind][] = [];
    for (let i = 0; i < entries.length; i += 2) {
      // The first byte of an entry is a kind; a newer version may know more of them.
      kinds.push([textOf(entries[i])!, entries[i + 1]![0] as Kind]);
    }
    kinds.sort(([a], [b]) => (a < b ? -1 : 1));
    const text = kinds.map(([id, kind]) => `${id}${kind}`).join("");
    const known = this.#shared.get(text)?.deref();
    if (known !== undefined) return known;
    const series = new KnownSeries(new Map(kinds));
    if (text.length > sharedTextMax) return series;
    if (this.#shared.size === sharedMax) this.#shared.clear();
    this.#shared.set(text, new WeakRef(series));
    return series;
  }

  /** Condenses the statements of a host, in the background; failures leave them as they are. */
  condense(book: HostBook): void {
    const { hostId } = book;
    if (this.#condensing.has(hostId)) return;
    const work = condense(this.#deps, hostId)
      .then((statements) => {
        if (statements === undefined) return;
        book.statements = statements;
        book.statementsMax = statementsMaxAfter(statements);
      })
      .catch(() => {
        // Statements that are not condensed cost room and time, nothing else; the next write tries again.
      })
      .finally(() => this.#condensing.delete(hostId));
    this.#condensing.set(hostId, work);
  }

  async close(): Promise<void> {
    this.#deps.servers.off("changed", this.#onChanged);
    await Promise.all(this.#condensing.values());
    this.#books.clear();
  }
}

const none: readonly string[] = [];
/** Sets of series that are shared among hosts, and how large they may be; larger ones are hardly alike. */
const sharedMax = 1_024;
const sharedTextMax = 64 * 1024;
