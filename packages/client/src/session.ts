import assert from "node:assert/strict";
import type { Outcome } from "@mon/proto";
import { Fifo } from "./fifo.ts";
import { type Count, Ledger, type LedgerSnapshot } from "./ledger.ts";
import { type Settlement, settlementOf } from "./settlement.ts";

/** An encoded report and how many samples it has. */
export interface EncodedReport {
  /** A `mon.v1.Report` on the wire. The session keeps the array and does not change it. */
  readonly bytes: Uint8Array;
  readonly samples: number;
}

/** A numbered batch of reports, as it goes on the stream. */
export interface Batch {
  /** From 1, unique among the batches without an outcome. */
  readonly sequence: number;
  readonly reports: readonly EncodedReport[];
}

/**
 * What became of a report that was pushed: kept; kept and the oldest waiting ones dropped for it; or dropped itself.
 */
export type PushResult = "buffered" | "displaced" | "dropped";

/** Why reports were given up. */
export type DropReason = "buffer-full" | "too-large" | "stopped";

/** A point in the flow of reports, and how many from before it are still without a fate. */
export interface Mark {
  readonly remaining: number;
}

/** The bounds of a session; see `ClientOptions`. */
export interface SessionOptions {
  readonly bufferReportsMax: number;
  readonly bufferBytesMax: number;
  readonly windowBatches: number;
  readonly batchReportsMax: number;
  readonly batchSamplesMax: number;
  readonly batchBytesMax: number;
  readonly messageBytesMax: number;
  readonly lingerMs: number;
}

/** The largest encoding of a batch around its reports: tag and number, and for each report tag and length. */
const batchOverheadBytes = 6;
const reportOverheadBytes = 6;

/** How long a refused report waits at least and at most, whatever the broker says. */
const retryDelayMsMin = 10;
const retryDelayMsMax = 60_000;

const sequenceMax = 0xffff_ffff;

interface Held extends EncodedReport {
  /** Counts pushed reports; smaller is older. */
  readonly order: number;
  readonly pushedAtMs: number;
}

interface Refused {
  readonly held: Held;
  readonly dueMs: number;
}

interface PendingMark {
  readonly order: number;
  remaining: number;
}

/**
 * What a client keeps and what it sends next: a pure state machine without clock, randomness or I/O.
 *
 *     push ─▶ waiting ─▶ under way ─▶ acked | rejected
 *                ▲           │
 *                ├───────────┤ disconnect: all that is under way waits again, oldest first
 *                └─ refused ◀┘ refusal: waits until its delay has lapsed
 *
 * Nothing is dropped but by `push` into a full buffer (the oldest of what waits; never what is under way) and by
 * `abandon`. At every instant `sent = acked + rejected + dropped + buffered`, in reports and in samples.
 *
 * Every method is O(reports of one batch), except `disconnect` and `abandon`: O(buffered).
 */
export class ReportSession {
  readonly #options: SessionOptions;
  #batchSamplesMax: number;
  #messageBytesMax: number;
  readonly #ledger = new Ledger();
  readonly #waiting = new Fifo<Held>();
  readonly #refused = new Fifo<Refused>();
  readonly #underWay = new Map<number, readonly Held[]>();
  readonly #marks = new Set<PendingMark>();
  #bufferedReports = 0;
  #bufferedBytes = 0;
  #underWayReports = 0;
  #underWayBytes = 0;
  #nextOrder = 0;
  #nextSequence = 1;
  #refusedDueMs = 0;
  #unackedSinceMs: number | undefined;

  constructor(options: SessionOptions) {
    this.#options = options;
    this.#batchSamplesMax = options.batchSamplesMax;
    this.#messageBytesMax = options.messageBytesMax;
  }

  /** The account of everything that was pushed. */
  get ledger(): LedgerSnapshot {
    return this.#ledger.snapshot();
  }

  /** Reports that are kept, in whatever state. */
  get bufferedReports(): number {
    return this.#bufferedReports;
  }

  /** Encoded bytes of the reports that are kept. */
  get bufferedBytes(): number {
    return this.#bufferedBytes;
  }

  /** Batches without an outcome. */
  get batchesUnderWay(): number {
    return this.#underWay.size;
  }

  /** Since when batches are under way without any outcome; undefined when none is. */
  get unackedSinceMs(): number | undefined {
    return this.#unackedSinceMs;
  }

  /**
   * Holds the session to the limits of a broker, where they are narrower than its own. Reports that are kept already
   * and are too large now are still sent: the broker judges them.
   */
  narrow(limits: { readonly samplesMax: number; readonly messageBytesMax: number }): void {
    if (limits.samplesMax > 0) this.#batchSamplesMax = Math.min(this.#batchSamplesMax, limits.samplesMax);
    if (limits.messageBytesMax > 0) {
      this.#messageBytesMax = Math.min(this.#messageBytesMax, limits.messageBytesMax);
    }
  }

  /** Whether a report of this size fits in a message and in the buffer at all. */
  fits(report: EncodedReport): boolean {
    const size = report.bytes.length;
    const messageBytes = size + reportOverheadBytes + batchOverheadBytes;
    return messageBytes <= this.#messageBytesMax && size <= this.#options.bufferBytesMax;
  }

  /**
   * Takes a report.
   *
   * @returns what became of it, and what was dropped: older reports, or itself
   */
  push(report: EncodedReport, nowMs: number): { result: PushResult; dropped: Count } {
    if (!this.fits(report) || !this.#canMakeRoomFor(report)) {
      this.#ledger.turnAway(report.samples);
      return { result: "dropped", dropped: { reports: 1, samples: report.samples } };
    }
    let reports = 0;
    let samples = 0;
    while (this.#isFullFor(report)) {
      const oldest = this.#takeOldestWaiting();
      assert(oldest !== undefined, "what is under way alone leaves room, so something waits");
      this.#giveUp(oldest);
      reports += 1;
      samples += oldest.samples;
    }
    const held: Held = {
      bytes: report.bytes,
      samples: report.samples,
      order: this.#nextOrder,
      pushedAtMs: nowMs,
    };
    this.#nextOrder += 1;
    this.#bufferedReports += 1;
    this.#bufferedBytes += report.bytes.length;
    this.#waiting.push(held);
    this.#ledger.accept(report.samples);
    return { result: reports > 0 ? "displaced" : "buffered", dropped: { reports, samples } };
  }

  /** Books a report that is not taken at all. */
  turnAway(samples: number): void {
    this.#ledger.turnAway(samples);
  }

  /**
   * The next batch to send, which is under way from now on; undefined when the window is full, nothing waits, or what
   * waits lingers. Refused reports whose delay has lapsed go first.
   */
  next(nowMs: number): Batch | undefined {
    if (this.#underWay.size >= this.#options.windowBatches) return undefined;
    if (!this.#isRipe(nowMs)) return undefined;
    const reports = this.#takeBatch(nowMs);
    const sequence = this.#takeSequence();
    this.#underWay.set(sequence, reports);
    this.#underWayReports += reports.length;
    this.#underWayBytes += bytesOf(reports);
    this.#unackedSinceMs ??= nowMs;
    return { sequence, reports };
  }

  /** When `next` may have something although nothing else happens; undefined when only an input can change that. */
  wakeAtMs(): number | undefined {
    if (this.#underWay.size >= this.#options.windowBatches) return undefined;
    const refusedMs = this.#refused.at(0)?.dueMs;
    const first = this.#waiting.at(0);
    const lingerMs = first === undefined ? undefined : first.pushedAtMs + this.#options.lingerMs;
    if (refusedMs === undefined) return lingerMs;
    return lingerMs === undefined ? refusedMs : Math.min(refusedMs, lingerMs);
  }

  /**
   * Takes the outcome of a batch.
   *
   * @returns what it means, or undefined when no batch with this number is under way
   */
  settle(sequence: number, outcome: Outcome, nowMs: number): Settlement | undefined {
    const reports = this.#underWay.get(sequence);
    if (reports === undefined) return undefined;
    this.#underWay.delete(sequence);
    this.#underWayReports -= reports.length;
    this.#underWayBytes -= bytesOf(reports);
    this.#unackedSinceMs = this.#underWay.size === 0 ? undefined : nowMs;

    const settlement = settlementOf(
      reports.map((held) => held.samples),
      outcome,
    );
    this.#ledger.settle(settlement.acked, settlement.rejected);
    const refused = new Set(settlement.refused);
    reports.forEach((held, index) => {
      if (!refused.has(index)) this.#release(held);
    });
    if (refused.size > 0) {
      const delayMs = Math.min(Math.max(outcome.retryDelayMs, retryDelayMsMin), retryDelayMsMax);
      // A later refusal never overtakes an earlier one, so that the queue stays ordered by due time.
      this.#refusedDueMs = Math.max(this.#refusedDueMs, nowMs + delayMs);
      for (const index of settlement.refused) {
        const held = reports[index];
        if (held !== undefined) this.#refused.push({ held, dueMs: this.#refusedDueMs });
      }
    }
    return settlement;
  }

  /** The stream is gone: everything under way waits again, in the order in which it was pushed. */
  disconnect(): void {
    const reports = [...this.#underWay.values()].flat().sort((a, b) => a.order - b.order);
    this.#underWay.clear();
    this.#underWayReports = 0;
    this.#underWayBytes = 0;
    this.#unackedSinceMs = undefined;
    this.#waiting.prepend(reports);
  }

  /** Drops everything that is kept. */
  abandon(): Count {
    this.disconnect();
    let reports = 0;
    let samples = 0;
    for (let held = this.#takeOldestWaiting(); held !== undefined; held = this.#takeOldestWaiting()) {
      this.#giveUp(held);
      reports += 1;
      samples += held.samples;
    }
    return { reports, samples };
  }

  /** Marks this instant; what waits lingers no more until all that was pushed before has a fate. */
  mark(): Mark {
    const mark: PendingMark = { order: this.#nextOrder, remaining: this.#bufferedReports };
    if (mark.remaining > 0) this.#marks.add(mark);
    return mark;
  }

  /** Forgets a mark that nobody waits for. */
  unmark(mark: Mark): void {
    for (const pending of this.#marks) {
      if (pending === mark) this.#marks.delete(pending);
    }
  }

  #isFullFor(report: EncodedReport): boolean {
    return (
      this.#bufferedReports + 1 > this.#options.bufferReportsMax ||
      this.#bufferedBytes + report.bytes.length > this.#options.bufferBytesMax
    );
  }

  /** Whether dropping all that waits would be enough. */
  #canMakeRoomFor(report: EncodedReport): boolean {
    return (
      this.#underWayReports + 1 <= this.#options.bufferReportsMax &&
      this.#underWayBytes + report.bytes.length <= this.#options.bufferBytesMax
    );
  }

  /** The older of the first waiting and the first refused report. */
  #takeOldestWaiting(): Held | undefined {
    const waiting = this.#waiting.at(0);
    const refused = this.#refused.at(0)?.held;
    if (refused === undefined) return this.#waiting.shift();
    if (waiting === undefined || refused.order < waiting.order) return this.#refused.shift()?.held;
    return this.#waiting.shift();
  }

  #isRipe(nowMs: number): boolean {
    const refused = this.#refused.at(0);
    if (refused !== undefined && refused.dueMs <= nowMs) return true;
    const first = this.#waiting.at(0);
    if (first === undefined) return false;
    const lingers = this.#options.lingerMs > 0 && this.#marks.size === 0;
    if (!lingers || nowMs >= first.pushedAtMs + this.#options.lingerMs) return true;
    // A full batch gains nothing by waiting.
    let bytes = 0;
    let samples = 0;
    for (let index = 0; index < this.#waiting.length; index += 1) {
      const held = this.#waiting.at(index) as Held; // The index is below the length.
      bytes += held.bytes.length + reportOverheadBytes;
      samples += held.samples;
      if (index + 1 >= this.#options.batchReportsMax) return true;
      if (samples >= this.#batchSamplesMax || bytes >= this.#batchBytes()) return true;
    }
    return false;
  }

  #batchBytes(): number {
    return Math.min(this.#options.batchBytesMax, this.#messageBytesMax - batchOverheadBytes);
  }

  /** Takes the reports of a batch: as many as its limits allow, and one at least. */
  #takeBatch(nowMs: number): readonly Held[] {
    const reports: Held[] = [];
    let bytes = 0;
    let samples = 0;
    const takes = (held: Held | undefined): held is Held => {
      if (held === undefined || reports.length >= this.#options.batchReportsMax) return false;
      if (reports.length === 0) return true;
      return (
        samples + held.samples <= this.#batchSamplesMax &&
        bytes + held.bytes.length + reportOverheadBytes <= this.#batchBytes()
      );
    };
    const add = (held: Held): void => {
      reports.push(held);
      bytes += held.bytes.length + reportOverheadBytes;
      samples += held.samples;
    };
    for (
      let head = this.#refused.at(0);
      head !== undefined && head.dueMs <= nowMs;
      head = this.#refused.at(0)
    ) {
      if (!takes(head.held)) return reports;
      add(head.held);
      this.#refused.shift();
    }
    for (let head = this.#waiting.at(0); takes(head); head = this.#waiting.at(0)) {
      add(head);
      this.#waiting.shift();
    }
    return reports;
  }

  #takeSequence(): number {
    const sequence = this.#nextSequence;
    this.#nextSequence = sequence === sequenceMax ? 1 : sequence + 1;
    return sequence;
  }

  #giveUp(held: Held): void {
    this.#ledger.drop({ reports: 1, samples: held.samples });
    this.#release(held);
  }

  /** A report has its fate: its room is free, and the marks after it wait for one less. */
  #release(held: Held): void {
    this.#bufferedReports -= 1;
    this.#bufferedBytes -= held.bytes.length;
    for (const mark of this.#marks) {
      if (held.order >= mark.order) continue;
      mark.remaining -= 1;
      if (mark.remaining === 0) this.#marks.delete(mark);
    }
  }
}

function bytesOf(reports: readonly EncodedReport[]): number {
  return reports.reduce((sum, { bytes }) => sum + bytes.length, 0);
}
