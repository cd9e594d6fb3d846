import {
  blockMs,
  type Durability,
  decodeSamples,
  type Fragment,
  fragmentFromSamples,
  StoreError,
  type WriteFate,
} from "@mon/store";
import { fragmentFieldBytes, putFragmentField } from "../keys/fragment-field.ts";
import { isHostId, type KeySpace } from "../keys/key-space.ts";
import type { SeriesEntry } from "../keys/series-entry.ts";
import { ServerError } from "../servers/server-error.ts";
import type { Servers, SlotBatch, SlotOutcome } from "../servers/servers.ts";
import { CommandWriter } from "../wire/command-writer.ts";
import { type Reply, ReplyError } from "../wire/reply.ts";
import type { HostBook } from "./host-book.ts";
import type { HostBooks } from "./host-books.ts";
import type { KnownShape, KnownShapes } from "./known-shapes.ts";
import type { Registry } from "./registry.ts";
import { writeAllScript } from "./scripts.ts";

/** How a writer behaves. */
export interface WriterOptions {
  /** Servers that must have a write before it is acknowledged. */
  readonly copies: number;
  /** How long data is kept, from the end of its bucket; infinite for ever. */
  readonly retentionMs: (hostId: string) => number;
  /** How long what is known of a host is kept after its newest data. */
  readonly hostRetentionMs: number;
}

/** What a writer is made of. */
export interface WriterDeps {
  readonly servers: Servers;
  readonly keys: KeySpace;
  readonly shapes: KnownShapes;
  readonly books: HostBooks;
  readonly registry: Registry;
  readonly now: () => number;
  readonly options: WriterOptions;
}

/** Fragments in one call of a script: Lua passes no more than some thousand arguments on. */
const groupFragmentsMax = 1_000;
/** Bytes after which another batch is begun, so that a server's replies to the first come early. */
const batchBytesMax = 1 << 20;
/** How old what is known of a host may be when series are refused for it. */
const limitAgeMsMax = 60_000;
/** How often a fragment is written anew because another writer has changed its host meanwhile. */
const attemptsMax = 8;

/** Fragments of one bucket of one host: one call of a script, and so all or nothing. */
interface Group {
  readonly book: HostBook;
  readonly bucketStartMs: number;
  /** Places of the fragments in the write. */
  readonly places: number[];
  readonly shapes: KnownShape[];
  /** The newest of each shape, as positions in `places`. */
  readonly newest: number[];
  /** To be made durable with it. */
  newSeries: SeriesEntry[];
  /** The group after it of the same host. */
  next: Group | undefined;
  /** What it sets besides its fragments has been asked for. */
  setsAll: boolean;
}

/** What becomes of the fragments of a write, by place. */
interface Admissions {
  /** What is to be stored: those given, or what is left of them. */
  readonly admitted: Fragment[];
  readonly fates: WriteFate[];
  /** Places of those to be looked at again. */
  readonly doubtful: number[];
  /** Whether hosts may have only so many series. */
  readonly isLimited: boolean;
}

/** Writes fragments: grouped, encoded into one buffer, sent, and each reply read. */
export class Writer {
  readonly #deps: WriterDeps;
  /** Series that a host may have before new ones are refused. */
  maxSeriesPerHost: number = Number.POSITIVE_INFINITY;
  readonly #commands = new CommandWriter();
  /** The last version given, so that none is given twice. */
  #version = 0;

  constructor(deps: WriterDeps) {
    this.#deps = deps;
  }

  /**
   * Writes fragments; what becomes of each is its fate.
   *
   * @param isLimited - whether hosts may have only so many series
   */
  async write(fragments: readonly Fragment[], isLimited: boolean): Promise<readonly WriteFate[]> {
    const { books } = this.#deps;
    const fates: WriteFate[] = new Array(fragments.length);
    const admitted: Fragment[] = fragments.slice();
    let places: number[] = [];
    for (let place = 0; place < fragments.length; place++) {
      const reason = refusalOf(fragments[place]!);
      if (reason === undefined) places.push(place);
      else fates[place] = { status: "rejected", reason };
    }
    for (let attempt = 0; places.length > 0; attempt++) {
      const unknown = books.unknownOf(fragments, places);
      if (unknown.length > 0) {
        const failures = await books.load(unknown);
        if (failures.size > 0) {
          places = places.filter((place) => {
            const failure = failures.get(fragments[place]!.hostId);
            if (failure !== undefined) fates[place] = retryAfter(failure);
            return failure === undefined;
          });
        }
      }
      const doubtful: number[] = [];
      const groups = this.#group(fragments, places, { admitted, fates, doubtful, isLimited });
      places = doubtful.concat(await this.#send(groups, admitted, fates));
      if (places.length === 0 || attempt + 1 < attemptsMax) continue;
      for (const place of places) fates[place] = contended;
      break;
    }
    return fates;
  }

  /** Admits fragments and puts them into groups; updates books as if all were stored. */
  #group(
    fragments: readonly Fragment[],
    places: readonly number[],
    { admitted, fates, doubtful, isLimited }: Admissions,
  ): Group[] {
    const { books, now } = this.#deps;
    const heads = new Map<HostBook, Group>();
    const groups: Group[] = [];
    for (const place of places) {
      let fragment = fragments[place]!;
      const book = books.get(fragment.hostId);
      if (book === undefined) {
        doubtful.push(place);
        continue;
      }
      let shape: KnownShape;
      try {
        shape = this.#deps.shapes.of(fragment);
      } catch (error) {
        if (!(error instanceof StoreError)) throw error;
        fates[place] = { status: "rejected", reason: error.message };
        continue;
      }
      let newSeries: SeriesEntry[] | undefined;
      fates[place] = stored;
      if (!book.series.covers(shape)) {
        newSeries = book.series.missing(shape);
        if (isLimited && this.#exceeds(book, newSeries)) {
          if (now() - book.loadedAtMs > limitAgeMsMax) {
            // Others may have trimmed it since: look again before anything is refused.
            books.forget(book);
            doubtful.push(place);
            continue;
          }
          const refusedSamples = this.#refused(book, shape);
          if (refusedSamples.length === shape.series.length) {
            fates[place] = { status: "rejected", reason: this.#limitReason, refusedSamples };
            continue;
          }
          const refused = new Set(refusedSamples);
          const rest = decodeSamples(fragment.bytes).filter((_, index) => !refused.has(index));
          fragment = fragmentFromSamples(fragment.hostId, fragment.timestampMs, rest);
          shape = this.#deps.shapes.of(fragment);
          newSeries = book.series.missing(shape);
          fates[place] = { ...stored, refusedSamples };
        }
        book.series = book.series.with(shape);
      }
      admitted[place] = fragment;
      const bucketStartMs = book.buckets.startOf(fragment.timestampMs);
      let group = heads.get(book);
      while (group !== undefined && !hasRoom(group, bucketStartMs, fragment, shape, admitted))
        group = group.next;
      if (group === undefined) {
        group = {
          book,
          bucketStartMs,
          places: [],
          shapes: [],
          newest: [],
          newSeries: [],
          next: heads.get(book),
          setsAll: false,
        };
        heads.set(book, group);
        groups.push(group);
      }
      if (newSeries !== undefined) group.newSeries = group.newSeries.concat(newSeries);
      addTo(group, place, shape, admitted);
    }
    return groups;
  }

  #exceeds(book: HostBook, newSeries: readonly SeriesEntry[]): boolean {
    let added = 0;
    for (const { id } of newSeries) if (!book.series.has(id)) added++;
    return added > 0 && book.series.size + added > this.maxSeriesPerHost;
  }

  /** Places of samples for whose series a host has no room. */
  #refused(book: HostBook, shape: KnownShape): number[] {
    let room = this.maxSeriesPerHost - book.series.size;
    const refused: number[] = [];
    for (const [place, { id }] of shape.entries.entries()) {
      if (book.series.has(id)) continue;
      if (room > 0) room--;
      else refused.push(place);
    }
    return refused;
  }

  get #limitReason(): string {
    return `expected at most ${this.maxSeriesPerHost} series of a host, got one more`;
  }

  /** @returns places that are to be written again, for their host has changed */
  async #send(
    groups: readonly Group[],
    admitted: readonly Fragment[],
    fates: WriteFate[],
  ): Promise<number[]> {
    if (groups.length === 0) return [];
    const { servers } = this.#deps;
    const batches = this.#encode(groups, admitted);
    const outcomes = await servers.send(batches);
    const again: number[] = [];
    const unregistered = new Set<HostBook>();
    let next = 0;
    for (const [index, batch] of batches.entries()) {
      const outcome = outcomes[index]!;
      for (let reply = 0; reply < batch.count; reply++) {
        const group = groups[next++]!;
        if (this.#settle(group, outcome, reply, fates)) again.push(...group.places);
        else if (group.book.registeredVersion !== group.book.version) unregistered.add(group.book);
      }
    }
    if (unregistered.size > 0) await this.#register(groups, unregistered, fates);
    return again;
  }

  /** Takes note of what became of a group. @returns whether it is to be written again */
  #settle(group: Group, outcome: SlotOutcome, index: number, fates: WriteFate[]): boolean {
    const { books } = this.#deps;
    const { book } = group;
    if (outcome.error !== undefined) {
      books.forget(book);
      for (const place of group.places) if (isStored(fates[place])) fates[place] = retryAfter(outcome.error);
      return false;
    }
    const reply: Reply | undefined = outcome.replies[index];
    if (typeof reply === "number") {
      book.statements += reply;
      if (book.statements > book.statementsMax) books.condense(book);
      if (group.setsAll) this.#remember(group, outcome.incarnation);
      if (outcome.copies > 1) for (const place of group.places) raiseCopies(fates, place, outcome.copies);
      return false;
    }
    books.forget(book);
    if (reply instanceof Uint8Array) return true;
    const message = reply instanceof ReplyError ? reply.message : String(reply);
    for (const place of group.places) {
      fates[place] = { status: "retry", reason: `expected a count, got: ${message}`, retryDelayMs: 1_000 };
    }
    return false;
  }

  /** While a bucket is open its place in the index and its expiry need be set once for each link (R14). */
  #remember({ book, bucketStartMs }: Group, incarnation: number): void {
    if (incarnation === 0) return;
    book.openBucketMs = bucketStartMs;
    book.openIncarnation = incarnation;
  }

  async #register(groups: readonly Group[], books: ReadonlySet<HostBook>, fates: WriteFate[]): Promise<void> {
    const failures = await this.#deps.registry.register([...books]);
    if (failures.size === 0) return;
    for (const { book, places } of groups) {
      const failure = failures.get(book);
      if (failure === undefined) continue;
      for (const place of places) if (isStored(fates[place])) fates[place] = retryAfter(failure);
    }
  }

  /** One batch for each host of a cluster, whose hosts lie in slots of their own; else few large ones. */
  #encode(groups: readonly Group[], admitted: readonly Fragment[]): SlotBatch[] {
    const { servers, options } = this.#deps;
    const isCluster = servers.deployment === "cluster";
    const commands = this.#commands;
    const ends: number[] = [];
    const counts: number[] = [];
    const slots: number[] = [];
    const nowMs = this.#deps.now();
    let begin = 0;
    for (const group of groups) {
      const { slot } = group.book;
      const last = slots.length - 1;
      const joins = last >= 0 && (isCluster ? slots[last] === slot : commands.length - begin < batchBytesMax);
      if (!joins) {
        begin = commands.length;
        slots.push(slot);
        counts.push(0);
        ends.push(0);
      }
      this.#encodeGroup(group, admitted, nowMs);
      counts[counts.length - 1]!++;
      ends[ends.length - 1] = commands.length;
    }
    const bytes = commands.take();
    const copies = options.copies > 1 ? { copies: options.copies } : {};
    return slots.map((slot, i) => ({
      slot,
      commands: bytes.subarray(i === 0 ? 0 : ends[i - 1]!, ends[i]!),
      count: counts[i]!,
      ...copies,
    }));
  }

  #encodeGroup(group: Group, admitted: readonly Fragment[], nowMs: number): void {
    const { book, bucketStartMs, places, newest, newSeries, shapes } = group;
    const { servers } = this.#deps;
    const commands = this.#commands;
    const isOpen = bucketStartMs + book.buckets.bucketMs > nowMs;
    const isKnown =
      isOpen &&
      book.openBucketMs === bucketStartMs &&
      book.openIncarnation !== 0 &&
      book.openIncarnation === servers.incarnation(book.slot);
    const statementArguments = 1 + newest.length + 2 * places.length;
    if (isKnown && newSeries.length === 0 && book.version !== "") {
      commands.begin(6 + statementArguments).encoded(book.writeHead(bucketStartMs));
    } else this.#encodeAllHead(group, statementArguments, nowMs, isOpen);
    commands.integer(newest.length);
    for (const position of newest) commands.bytes(shapes[position]!.field);
    for (const position of newest) this.#encodeFragment(admitted[places[position]!]!);
    if (newest.length === places.length) return;
    for (let position = 0; position < places.length; position++) {
      if (!newest.includes(position)) this.#encodeFragment(admitted[places[position]!]!);
    }
  }

  #encodeAllHead(group: Group, statementArguments: number, nowMs: number, isOpen: boolean): void {
    const { book, bucketStartMs, newSeries } = group;
    const { options } = this.#deps;
    group.setsAll = isOpen;
    const known = book.version;
    let version = "";
    if (known === "" || newSeries.length > 0) {
      this.#version = Math.max(this.#version + 1, Math.floor(nowMs) * 1_000, Number(known) + 1);
      version = String(this.#version);
      book.version = version;
    }
    const endMs = bucketStartMs + book.buckets.bucketMs;
    const retentionMs = options.retentionMs(book.hostId);
    const expires = Number.isFinite(retentionMs);
    const hostRetentionMs = Math.max(options.hostRetentionMs, retentionMs);
    const commands = this.#commands;
    commands
      .begin(16 + 2 * newSeries.length + statementArguments)
      .text("EVALSHA")
      .text(writeAllScript.sha)
      .text("5")
      .text(book.hostKey)
      .text(book.bucketKey(bucketStartMs))
      .text(book.indexKey)
      .text(book.seriesKey)
      .text(book.unpackedKey)
      .text(known)
      .text(version)
      .integer(bucketStartMs)
      .integer(book.buckets.blockOf(bucketStartMs))
      .text(expires ? String(endMs + retentionMs) : "")
      .text(expires ? String(Math.max(endMs, Math.floor(nowMs)) + hostRetentionMs) : "")
      .text(expires ? String(Math.floor(nowMs) - retentionMs - blockMs) : "")
      .integer(newSeries.length);
    for (const { id, value } of newSeries) commands.text(id).bytes(value);
  }

  #encodeFragment(fragment: Fragment): void {
    putFragmentField(field, fragment);
    this.#commands.bytes(field).bytes(fragment.bytes);
  }
}

const field = Buffer.alloc(fragmentFieldBytes);

const durability: Durability = "process";
const stored: WriteFate & { status: "stored" } = { status: "stored", durability, copies: 1 };
const contended: WriteFate = {
  status: "retry",
  reason: "expected to be the only writer of a host, got others at the same time, again and again",
  retryDelayMs: 100,
};

/** The times that a `Date` can hold, in milliseconds to either side of the epoch. */
const timeMsMax = 8.64e15;

function refusalOf({ hostId, timestampMs }: Fragment): string | undefined {
  if (!Number.isInteger(timestampMs) || Math.abs(timestampMs) > timeMsMax)
    return `expected a time in whole milliseconds within ${timeMsMax} of the epoch, got ${timestampMs}`;
  if (!isHostId(hostId))
    return `expected a host id of letters, digits, '.', '_' and '-', got ${JSON.stringify(hostId)}`;
  return undefined;
}

/**
 * Whether a group can take a fragment. It has at most one statement of each shape and instant: the script compares
 * statements with what the host had before, not with each other.
 */
function hasRoom(
  { bucketStartMs, places, shapes, newest }: Group,
  startMs: number,
  fragment: Fragment,
  shape: KnownShape,
  admitted: readonly Fragment[],
): boolean {
  if (bucketStartMs !== startMs || places.length === groupFragmentsMax) return false;
  for (const position of newest) {
    if (shapes[position] !== shape) continue;
    const rival = admitted[places[position]!]!;
    return rival.timestampMs !== fragment.timestampMs || isSame(rival, fragment);
  }
  return true;
}

function isSame(a: Fragment, b: Fragment): boolean {
  return a.idHigh === b.idHigh && a.idLow === b.idLow;
}

function addTo(group: Group, place: number, shape: KnownShape, admitted: readonly Fragment[]): void {
  const { places, shapes, newest } = group;
  const position = places.length;
  places.push(place);
  shapes.push(shape);
  const index = newest.findIndex((rival) => shapes[rival] === shape);
  if (index < 0) newest.push(position);
  else if (admitted[place]!.timestampMs > admitted[places[newest[index]!]!]!.timestampMs)
    newest[index] = position;
}

function isStored(fate: WriteFate | undefined): boolean {
  return fate?.status === "stored";
}

function raiseCopies(fates: WriteFate[], place: number, copies: number): void {
  const fate = fates[place];
  if (fate?.status === "stored") fates[place] = { ...fate, copies };
}

/** The fate of what a server has not taken. */
function retryAfter(error: StoreError): WriteFate {
  const retryDelayMs = error instanceof ServerError ? Math.max(error.retryDelayMs, 1) : 1_000;
  return { status: "retry", reason: error.message, retryDelayMs };
}
