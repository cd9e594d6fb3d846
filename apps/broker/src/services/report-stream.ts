import { create } from "@bufbuild/protobuf";
import { Code, ConnectError } from "@connectrpc/connect";
import type { Intake, Outcome } from "@mon/intake";
import { type ReportResponse, ReportResponseSchema } from "@mon/proto";
import type { ReportBatch } from "@mon/proto/wire";
import type { Admission } from "./admission.ts";
import { outcomeMessage } from "./outcome-message.ts";

/** Batches of a stream whose answers have not been taken yet; beyond it the stream is not read (R8). */
export const unansweredMax = 256;

/** What a report stream works with. */
export interface ReportStreamDeps {
  readonly intake: Pick<Intake, "submit">;
  readonly admission: Admission;
  /** Called with each batch's time from arrival to outcome, in milliseconds. */
  readonly acked: (durationMs: number) => void;
  /** Called with the size of each batch that found no room. */
  readonly refused: (reports: number) => void;
  /** Aborted when the broker stops: what was read is still answered, nothing more is read. */
  readonly draining: AbortSignal;
  /** Aborted when the call is over. */
  readonly signal: AbortSignal;
}

/**
 * Answers each batch of a stream with its outcome, in the order in which outcomes come. Reads while there is room: in
 * the byte budgets, and in the window of unanswered batches.
 */
export async function* answerReports(
  batches: AsyncIterable<ReportBatch>,
  deps: ReportStreamDeps,
): AsyncGenerator<ReportResponse> {
  const stream = new ReportStream(deps);
  void stream.read(batches);
  yield* stream.answers();
}

class ReportStream {
  readonly #deps: ReportStreamDeps;
  readonly #answers: ReportResponse[] = [];
  /** Batches read whose outcome is not known yet. */
  #open = 0;
  #ended = false;
  #failure: unknown;
  /** Wakes the side that waits: the reader for room, the answerer for an answer. */
  #wakeReader: (() => void) | undefined;
  #wakeAnswerer: (() => void) | undefined;

  constructor(deps: ReportStreamDeps) {
    this.#deps = deps;
    deps.draining.addEventListener("abort", () => this.#wake(), { once: true, signal: deps.signal });
    deps.signal.addEventListener("abort", () => this.#wake(), { once: true });
  }

  /** Never rejects: what ends the reading is told by {@link answers}. */
  async read(batches: AsyncIterable<ReportBatch>): Promise<void> {
    const { draining, signal } = this.#deps;
    try {
      for await (const batch of batches) {
        if (signal.aborted || this.#failure !== undefined) break;
        // Read too late: it gets no outcome, so the stream must not end as if it had.
        if (draining.aborted) throw stopping();
        await this.#take(batch);
        while (this.#open + this.#answers.length >= unansweredMax && !signal.aborted) {
          await new Promise<void>((resolve) => {
            this.#wakeReader = resolve;
          });
        }
      }
    } catch (error) {
      this.#failure = error;
    }
    this.#ended = true;
    this.#wake();
  }

  async *answers(): AsyncGenerator<ReportResponse> {
    const { draining, signal } = this.#deps;
    while (true) {
      while (this.#answers.length > 0) {
        yield this.#answers.shift()!;
        this.#wakeReader?.();
      }
      if (signal.aborted) return;
      if (this.#open === 0 && this.#answers.length === 0) {
        if (this.#failure !== undefined) throw this.#failure;
        if (this.#ended) return;
        if (draining.aborted) throw stopping();
      }
      await new Promise<void>((resolve) => {
        this.#wakeAnswerer = resolve;
      });
    }
  }

  async #take(batch: ReportBatch): Promise<void> {
    const arrivedAt = performance.now();
    const { intake, admission, acked, refused, signal } = this.#deps;
    this.#open++;
    let bytes = 0;
    for (const report of batch.reports) bytes += report.length;
    const refusal = await admission.enter(bytes, signal);
    if (refusal !== undefined) {
      refused(batch.reports.length);
      this.#answer(batch.sequence, refusedOutcome(batch.reports.length, refusal));
      return;
    }
    const failed = (error: unknown): void => {
      admission.leave(bytes);
      this.#open--;
      this.#failure ??= error;
      this.#wake();
    };
    try {
      void intake.submit(batch.reports).then((outcome) => {
        admission.leave(bytes);
        acked(performance.now() - arrivedAt);
        this.#answer(batch.sequence, outcome);
      }, failed);
    } catch (error) {
      failed(error);
    }
  }

  #answer(sequence: number, outcome: Outcome): void {
    this.#open--;
    this.#answers.push(create(ReportResponseSchema, { sequence, outcome: outcomeMessage(outcome) }));
    this.#wakeAnswerer?.();
  }

  #wake(): void {
    this.#wakeReader?.();
    this.#wakeAnswerer?.();
  }
}

/** What ends the streams of a broker that stops. */
export function stopping(): ConnectError {
  return new ConnectError("this broker is stopping, use another", Code.Unavailable);
}

/** The outcome of a batch of which nothing was taken, for lack of room. */
export function refusedOutcome(reports: number, message: string): Outcome {
  return {
    reportsStored: 0,
    samplesStored: 0,
    durability: undefined,
    copies: 0,
    rejections: [],
    refusals: Array.from({ length: reports }, (_, reportIndex) => ({ reportIndex, message })),
    retryDelayMs: 1_000,
  };
}
