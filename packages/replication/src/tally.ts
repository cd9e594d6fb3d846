import type { Durability, WriteFate } from "@mon/store";

/** What became of one fragment at those it was sent to, all under one epoch. */
export class Tally {
  readonly #quorum: number;
  #pending: number;
  #copies = 0;
  #durability: Durability = "fsync";
  readonly #refused = new Set<number>();
  #rejected: Extract<WriteFate, { status: "rejected" }> | undefined;
  #retry: Extract<WriteFate, { status: "retry" }> | undefined;
  #isStale = false;

  constructor(targets: number, quorum: number) {
    this.#pending = targets;
    this.#quorum = quorum;
  }

  add(fate: WriteFate): void {
    this.#pending--;
    switch (fate.status) {
      case "stored":
        this.#copies++;
        this.#durability = weaker(this.#durability, fate.durability);
        for (const place of fate.refusedSamples ?? []) this.#refused.add(place);
        return;
      case "retry":
        this.#retry = fate;
        return;
      case "rejected":
        this.#rejected = fate;
        return;
      default:
        fate satisfies never;
    }
  }

  /** One of them is on a newer epoch. */
  addStale(): void {
    this.#pending--;
    this.#isStale = true;
  }

  /** Whether no reply that is still to come can change the answer. */
  get isDecided(): boolean {
    return this.#copies >= this.#quorum || this.#copies + this.#pending < this.#quorum;
  }

  /** The fragment's fate; undefined when it is to be sent again under a newer epoch. */
  get fate(): WriteFate | undefined {
    if (this.#copies >= this.#quorum) {
      const refusedSamples = [...this.#refused].sort((a, b) => a - b);
      return {
        status: "stored",
        durability: this.#durability,
        copies: this.#copies,
        ...(refusedSamples.length > 0 ? { refusedSamples } : {}),
      };
    }
    if (this.#isStale) return undefined;
    return this.#retry ?? this.#rejected;
  }
}

const strength = ["memory", "process", "fsync"] as const satisfies Durability[];

function weaker(a: Durability, b: Durability): Durability {
  return strength.indexOf(a) < strength.indexOf(b) ? a : b;
}
