import { Durability, type Outcome, Reason } from "@mon/proto";
import { enumWord } from "./json.ts";
import type { Style } from "./output.ts";
import { formatTable } from "./table.ts";
import { printable } from "./text.ts";
import type { View } from "./view.ts";

/** Something that will never pass, with its place in what was given. */
interface LedgerRejection {
  place: string;
  host: string;
  name: string;
  reason: string;
  field: string;
  message: string;
}

/** The most rejections that are listed; more are counted. */
const rejectionsListedMax = 1_000;

/** Adds up what became of all batches of a push. */
export class PushLedger {
  #reportsStored = 0;
  #samplesStored = 0;
  #rejected = 0;
  #refused = 0;
  #retryDelayMs = 0;
  #durability: Durability | undefined;
  #copies: number | undefined;
  readonly #rejections: LedgerRejection[] = [];
  readonly #refusals: { place: string; message: string }[] = [];

  /** Takes a broker's outcome in. `places` says where each report of the batch came from. */
  addOutcome(outcome: Outcome, places: readonly string[]): void {
    this.#reportsStored += outcome.reportsStored;
    this.#samplesStored += outcome.samplesStored;
    if (outcome.reportsStored > 0) {
      const known = this.#durability;
      this.#durability = known === undefined || outcome.durability < known ? outcome.durability : known;
      this.#copies = Math.min(this.#copies ?? outcome.copies, outcome.copies);
    }
    for (const { reportIndex, hostId, name, reason, field, message } of outcome.rejections) {
      const place = places[reportIndex] ?? `report ${reportIndex}`;
      this.addRejection({ place, host: hostId, name, reason: enumWord(Reason, reason), field, message });
    }
    this.#rejected += outcome.rejectionsOmitted;
    for (const { reportIndex, message } of outcome.refusals) {
      this.#refused++;
      if (this.#refusals.length === rejectionsListedMax) continue;
      this.#refusals.push({ place: places[reportIndex] ?? `report ${reportIndex}`, message });
    }
    this.#retryDelayMs = Math.max(this.#retryDelayMs, outcome.retryDelayMs);
  }

  /** Takes in a rejection, also one of what never went out because it could not be read. */
  addRejection(rejection: LedgerRejection): void {
    this.#rejected++;
    if (this.#rejections.length < rejectionsListedMax) this.#rejections.push(rejection);
  }

  /** Samples that are stored so far. */
  get samplesStored(): number {
    return this.#samplesStored;
  }

  /** Whether all that was given is stored. */
  get complete(): boolean {
    return this.#rejected === 0 && this.#refused === 0;
  }

  /** What `push` shows. */
  view(): View {
    const document = {
      reportsStored: this.#reportsStored,
      samplesStored: this.#samplesStored,
      durability: this.#durability === undefined ? null : enumWord(Durability, this.#durability),
      copies: this.#copies ?? 0,
      rejected: this.#rejected,
      rejections: this.#rejections,
      refused: this.#refused,
      refusals: this.#refusals,
      retryDelayMs: this.#retryDelayMs,
    };
    return {
      document,
      rows: [document],
      ids: [],
      notes: this.#notes(),
      table: ({ headers, style }) => this.#sentence() + this.#rejectionTable(headers, style),
    };
  }

  #sentence(): string {
    const stored = `stored ${plural(this.#samplesStored, "sample")} of ${plural(this.#reportsStored, "report")}`;
    if (this.#durability === undefined) return "stored nothing\n";
    return `${stored}: ${enumWord(Durability, this.#durability)}, ${plural(this.#copies!, "copy", "copies")}\n`;
  }

  #rejectionTable(headers: boolean, style: Style): string {
    const rows = this.#rejections.map(({ place, reason, field, message }) =>
      [place, reason, field || "-", message].map(printable),
    );
    for (const { place, message } of this.#refusals)
      rows.push([place, "refused for now", "-", printable(message)]);
    if (rows.length === 0) return "";
    return formatTable(
      [{ title: "AT" }, { title: "REASON" }, { title: "FIELD" }, { title: "MESSAGE" }],
      rows,
      {
        headers,
        styleHeader: (line) => style("dim", line),
      },
    );
  }

  #notes(): string[] {
    const notes: string[] = [];
    if (this.#rejected > 0) notes.push(`${this.#rejected} rejected for good`);
    if (this.#refused > 0) {
      notes.push(`${plural(this.#refused, "report")} refused for now; send again in ${this.#retryDelayMs}ms`);
    }
    return notes;
  }
}

function plural(count: number, one: string, many: string = `${one}s`): string {
  return `${count} ${count === 1 ? one : many}`;
}
