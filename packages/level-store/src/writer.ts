import type { Catalogue, Fragment, WriteFate } from "@mon/store";
import type { BatchLog } from "./batch-log.ts";
import type { Generation } from "./generation.ts";
import { assertInstant } from "./host-blocks.ts";
import type { Journal } from "./journal.ts";
import type { Settler } from "./settler.ts";
import { hostOf, type WriterHost } from "./writer-host.ts";

/** What writing needs. */
export interface WriterDeps {
  readonly catalogue: Catalogue;
  readonly hosts: Map<string, WriterHost>;
  readonly journal: Journal;
  readonly batches: BatchLog;
  readonly settler: Settler;
  readonly newGeneration: (firstSequence: number) => Generation;
  readonly now: () => number;
  /** Aborts when nothing more is taken. */
  readonly signal: AbortSignal;
  readonly generationBytes: number;
  readonly generationAgeMs: number;
  readonly maxQueuedBytes: number;
}

const stored = Object.freeze({ status: "stored", durability: "fsync", copies: 1 } satisfies WriteFate);

/** Closed generations are as many as files were given up; beyond so many in all, writes wait until chunks are made. */
const generationsMax = 3;

/** Takes what is written: into the catalogue and the journal when there is room, into the next generation when it is due. */
export class Writer {
  readonly #deps: WriterDeps;
  /** Settles when writers may go on that have to wait for a moment. */
  #paused: Promise<void> | undefined;
  /** Bytes of writes that wait until there is room. */
  #waitingBytes = 0;

  constructor(deps: WriterDeps) {
    this.#deps = deps;
  }

  /** Lets writers wait. @returns what lets them go on */
  pause(): () => void {
    const { promise, resolve } = Promise.withResolvers<void>();
    this.#paused = promise;
    return () => {
      this.#paused = undefined;
      resolve();
    };
  }

  /**
   * Writes fragments; what is rejected is settled at once, the rest when it is durable.
   *
   * @param isLimited - whether the host's limit of series holds
   */
  async write(
    fragments: readonly Fragment[],
    isLimited: boolean,
    retry: (reason: string) => WriteFate,
  ): Promise<WriteFate[]> {
    let refusal = this.#refusal;
    while (refusal === undefined && (this.#paused !== undefined || this.#isFull)) {
      refusal = await this.#wait(fragments);
    }
    if (refusal !== undefined) {
      const reason = refusal;
      return fragments.map(() => retry(reason));
    }
    this.#rollWhenDue();
    const fates = fragments.map((fragment) => this.#add(fragment, isLimited));
    try {
      await this.#deps.journal.flush();
    } catch (failure) {
      const reason = failure instanceof Error ? failure.message : String(failure);
      return fates.map((fate) => (fate.status === "stored" ? retry(reason) : fate));
    }
    return fates;
  }

  /** Why nothing is taken now. */
  get #refusal(): string | undefined {
    const failure = this.#deps.journal.failure ?? this.#deps.batches.failure;
    if (failure !== undefined) return failure.message;
    if (this.#deps.signal.aborted) return "the store is being closed";
    const { queuedBytes } = this.#deps.journal;
    if (queuedBytes <= this.#deps.maxQueuedBytes) return undefined;
    return `${queuedBytes} bytes wait to be written already`;
  }

  /** Waits for a moment, or until there is room in memory. @returns why fragments are not taken after all */
  async #wait(fragments: readonly Fragment[]): Promise<string | undefined> {
    await this.#paused;
    if (this.#isFull) {
      this.#deps.settler.begin();
      if (this.#deps.settler.failure !== undefined || this.#waitingBytes > this.#deps.maxQueuedBytes) {
        return `${this.#deps.journal.head.bytes} bytes wait to be made into chunks already`;
      }
      const bytes = fragments.reduce((sum, fragment) => sum + fragment.bytes.length, 0);
      this.#waitingBytes += bytes;
      await this.#deps.settler.progress();
      this.#waitingBytes -= bytes;
    }
    return this.#refusal;
  }

  get #isFull(): boolean {
    const { head } = this.#deps.journal;
    if (head.generations.length > generationsMax) return true;
    return head.active.bytes >= this.#deps.generationBytes && head.closed !== undefined;
  }

  #rollWhenDue(): void {
    const { head } = this.#deps.journal;
    if (head.closed !== undefined) return;
    const { generationBytes } = this.#deps;
    if (head.active.bytes >= generationBytes || this.isOld) this.roll();
  }

  /** Whether the active generation has been filled for long. */
  get isOld(): boolean {
    const { active } = this.#deps.journal.head;
    return active.count > 0 && this.#deps.now() - active.begunMs >= this.#deps.generationAgeMs;
  }

  /** Closes the active generation, to be made into chunks. There is no other that is closed. */
  roll(): void {
    const { journal, newGeneration, settler } = this.#deps;
    journal.roll(newGeneration(journal.nextSequence));
    settler.begin();
  }

  #add(fragment: Fragment, isLimited: boolean): WriteFate {
    const { catalogue, journal, hosts } = this.#deps;
    const { hostId, timestampMs, idHigh, idLow, layout } = fragment;
    let host: WriterHost;
    try {
      assertInstant(timestampMs);
      host = hostOf(hosts, hostId);
    } catch (error) {
      return rejected(error);
    }
    const bytes = journal.append(host, timestampMs, fragment.bytes, layout);
    const owned = { hostId, timestampMs, idHigh, idLow, bytes, layout };
    try {
      if (!isLimited) {
        host.unrecorded.push(...catalogue.observe(owned).newSeries);
        return stored;
      }
      const admission = catalogue.admit(owned);
      if (admission.newSeries.length > 0) host.unrecorded.push(...admission.newSeries);
      if (admission.fragment === owned) return stored;
      const { refusedSamples } = admission;
      journal.undo(host);
      if (admission.fragment === undefined) {
        return { status: "rejected", reason: catalogue.limitReason, refusedSamples };
      }
      journal.append(host, timestampMs, admission.fragment.bytes, undefined);
      return { ...stored, refusedSamples };
    } catch (error) {
      journal.undo(host);
      return rejected(error);
    }
  }
}

function rejected(error: unknown): WriteFate {
  return { status: "rejected", reason: error instanceof Error ? error.message : String(error) };
}
