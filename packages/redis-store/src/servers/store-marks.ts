import { StoreError } from "@mon/store";
import { CommandWriter } from "../wire/command-writer.ts";
import { type Reply, ReplyError } from "../wire/reply.ts";
import type { Primary, Servers } from "./servers.ts";
import { slotOf } from "./slot.ts";

/** What a mark says. */
export interface StoreMark {
  /** Of the key space. */
  readonly version: number;
  /** The cluster of brokers whose store it is; empty when they have no name. */
  readonly cluster: string;
  /** Random, the same on all primaries: made with the store's first mark. */
  readonly store: string;
  /** Random, of this very mark: one that another broker has set anew tells that the one before is gone. */
  readonly mark: string;
}

/** What a look at the marks found. */
export interface StoreMarksReport {
  readonly store: string;
  /** Primaries that answer without a mark that was there before: their data is gone. */
  readonly emptied: readonly string[];
  /** Primaries that have got a mark now. */
  readonly marked: readonly string[];
}

export interface StoreMarksDeps {
  readonly servers: Servers;
  /** The key of the mark with a hash tag: `monitor:meta:{tag}`. */
  readonly keyOf: (tag: string) => string;
  /** A name that no store, and no mark, had before. */
  readonly newStoreId: () => string;
  /** The cluster of brokers; empty when it has no name. */
  readonly cluster: string;
  /** Called with what each look that a change of links led to has found, when data is gone. */
  readonly onEmptied: (report: StoreMarksReport) => void;
}

/** The version of the key space that is written. */
const keySpaceVersion = 1;

/** How long after a change of links it is looked, and again when a look failed. */
const lookDelayMs = 100;
const retryDelayMs = 1000;

/**
 * The marks that tell a server with the store's data from one that came back empty (R27): a key on each primary, under a
 * hash tag of one of its slots, that goes where its slot goes and is never deleted. It is looked for when links or
 * primaries have changed; one that is missing where it was before means that the data beside it is gone too.
 */
export class StoreMarks {
  readonly #deps: StoreMarksDeps;
  /** Tags whose keys have been seen, and the marks that were there. */
  readonly #tags = new Map<string, string>();
  #store: string | undefined;
  #timer: NodeJS.Timeout | undefined;
  #look: Promise<StoreMarksReport> | undefined;
  #isClosed = false;
  readonly #onChanged = (): void => this.#plan(lookDelayMs);

  constructor(deps: StoreMarksDeps) {
    this.#deps = deps;
  }

  /**
   * Looks for the marks, sets those that are missing, and goes on looking whenever something changes.
   *
   * @throws {StoreError} STORE_VERSION_UNKNOWN, STORE_UNUSABLE when it is another cluster's store, or a
   * {@link ServerError}
   */
  async start(): Promise<StoreMarksReport> {
    const report = await this.look();
    this.#deps.servers.on("changed", this.#onChanged);
    return report;
  }

  /** The name of the store; undefined before {@link start}. */
  get store(): string | undefined {
    return this.#store;
  }

  /** Looks now; one look at a time. @throws as {@link start} */
  look(): Promise<StoreMarksReport> {
    this.#look ??= this.#find().finally(() => {
      this.#look = undefined;
    });
    return this.#look;
  }

  close(): void {
    this.#isClosed = true;
    this.#deps.servers.off("changed", this.#onChanged);
    clearTimeout(this.#timer);
  }

  #plan(afterMs: number): void {
    if (this.#isClosed || this.#timer !== undefined) return;
    this.#timer = setTimeout(() => {
      this.#timer = undefined;
      this.look().then(
        (report) => {
          if (report.emptied.length > 0) this.#deps.onEmptied(report);
        },
        // A server that does not answer now is looked at when it does.
        () => this.#plan(retryDelayMs),
      );
    }, afterMs).unref();
  }

  async #find(): Promise<StoreMarksReport> {
    const { servers } = this.#deps;
    const primaries = servers.primaries();
    const present = await this.#read([
      ...new Set([...this.#tags.keys(), ...primaries.map(({ tag }) => tag)]),
    ]);
    // Whoever comes first to a server that is empty marks it again: to the others that mark is another one.
    const lost = [...this.#tags].flatMap(([tag, mark]) => (present.get(tag)?.mark === mark ? [] : [tag]));
    for (const tag of lost) this.#tags.delete(tag);
    for (const [tag, mark] of present) {
      this.#tags.set(tag, mark.mark);
      this.#store ??= mark.store;
    }
    const unmarked = primaries.filter(
      (primary) => ![...this.#tags.keys()].some((tag) => hasTag(primary, tag)),
    );
    let store = this.#store;
    if (store === undefined) {
      // Brokers that begin at once agree on the name at one server, or each would name some.
      store = await this.#set(unmarked.slice(0, 1), this.#deps.newStoreId());
      this.#store = store;
      await this.#set(unmarked.slice(1), store);
    } else {
      await this.#set(unmarked, store);
    }
    const emptied = primaries.filter((primary) => lost.some((tag) => hasTag(primary, tag)));
    return {
      store,
      emptied: emptied.map(({ name }) => name),
      marked: unmarked.map(({ name }) => name),
    };
  }

  async #read(tags: readonly string[]): Promise<Map<string, StoreMark>> {
    const { servers, keyOf } = this.#deps;
    const outcomes = await servers.read(
      tags.map((tag) => ({
        slot: slotOf(tag),
        commands: new CommandWriter().begin(2).text("GET").text(keyOf(tag)).take(),
        count: 1,
      })),
    );
    const marks = new Map<string, StoreMark>();
    for (const [i, outcome] of outcomes.entries()) {
      if (outcome.error !== undefined) throw outcome.error;
      const mark = this.#markFrom(keyOf(tags[i]!), outcome.replies[0]!);
      if (mark !== undefined) marks.set(tags[i]!, mark);
    }
    return marks;
  }

  /** Marks primaries. @returns the store's name there: another broker may have been first, and then its marks hold */
  async #set(primaries: readonly Primary[], store: string): Promise<string> {
    if (primaries.length === 0) return store;
    const { servers, keyOf, cluster, newStoreId } = this.#deps;
    const mark: StoreMark = { version: keySpaceVersion, cluster, store, mark: newStoreId() };
    const outcomes = await servers.send(
      primaries.map(({ tag }) => ({
        slot: slotOf(tag),
        commands: new CommandWriter()
          .begin(4)
          .text("SET")
          .text(keyOf(tag))
          .bytes(Buffer.from(JSON.stringify(mark)))
          .text("NX")
          .take(),
        count: 1,
      })),
    );
    for (const outcome of outcomes) if (outcome.error !== undefined) throw outcome.error;
    const present = await this.#read(primaries.map(({ tag }) => tag));
    let name = store;
    for (const [tag, mark] of present) {
      this.#tags.set(tag, mark.mark);
      name = mark.store;
    }
    return name;
  }

  #markFrom(key: string, reply: Reply): StoreMark | undefined {
    if (reply === null) return undefined;
    const text = reply instanceof Uint8Array ? Buffer.from(reply).toString() : "";
    if (reply instanceof ReplyError)
      throw new StoreError("STORE_UNUSABLE", `expected ${key} to be a string, got: ${reply.message}`);
    const mark = parsed(text);
    if (mark === undefined)
      throw new StoreError(
        "STORE_CORRUPT",
        `expected ${key} to be a mark, got ${JSON.stringify(text.slice(0, 80))}`,
      );
    if (mark.version > keySpaceVersion)
      throw new StoreError(
        "STORE_VERSION_UNKNOWN",
        `expected ${key} to be of version ${keySpaceVersion} or earlier, got ${mark.version}`,
      );
    const { cluster } = this.#deps;
    if (cluster !== "" && mark.cluster !== "" && mark.cluster !== cluster)
      throw new StoreError(
        "STORE_UNUSABLE",
        `expected ${key} to belong to the cluster ${cluster}, got ${mark.cluster}`,
      );
    return mark;
  }
}

function hasTag({ slots }: Primary, tag: string): boolean {
  const slot = slotOf(tag);
  return slots.some(([first, last]) => first <= slot && slot <= last);
}

function parsed(text: string): StoreMark | undefined {
  let value: unknown;
  try {
    value = JSON.parse(text);
  } catch {
    return undefined;
  }
  if (typeof value !== "object" || value === null) return undefined;
  const { version, cluster, store, mark = "" } = value as Partial<Record<keyof StoreMark, unknown>>;
  if (typeof version !== "number" || typeof cluster !== "string" || typeof store !== "string")
    return undefined;
  if (typeof mark !== "string") return undefined;
  return { version, cluster, store, mark };
}
