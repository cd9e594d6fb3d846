import {
  checkLinearizability,
  type LinearizabilityVerdict,
  type Operation,
  type SequentialModel,
} from "@mon/raft/testing";

/** What a client asked of one key. */
export interface RegisterInput {
  readonly kind: "put" | "get" | "compareAndSet";
  /** Of writes; no two are the same. */
  readonly value?: string;
  readonly expected?: string | null;
}

/** What it was told: of a get the value, null for none; of writes whether they wrote. */
export type RegisterOutput = string | null | boolean;

/** One key. */
const register: SequentialModel<string | null, RegisterInput, RegisterOutput> = {
  initial: null,
  apply(state, { expected, kind, value }) {
    if (kind === "get") return { state, output: state };
    if (kind === "compareAndSet" && state !== expected) return { state, output: false };
    return { state: value!, output: true };
  },
  fingerprint: (state) => String(state),
};

/** A check of all keys. */
export interface Verdict {
  readonly keys: number;
  /** Keys whose history cannot be explained. */
  readonly illegal: readonly string[];
  /** Keys for which the search was given up. */
  readonly unknown: readonly string[];
}

/** Steps of the search in the history of one key. */
const maxSteps = 2_000_000;

/**
 * Writes of unknown outcome that nobody saw make the search long and are hardly ever needed: first it is tried without
 * them, as they may never have happened.
 */
function explain(operations: readonly Operation<RegisterInput, RegisterOutput>[]): LinearizabilityVerdict {
  const seen = new Set(
    operations.map(({ input, output }) => (input.kind === "get" ? output : input.expected)),
  );
  const needed = operations.filter(({ input, output }) => output !== undefined || seen.has(input.value!));
  const verdict = checkLinearizability(needed, register, maxSteps);
  return verdict === "linearizable" || needed.length === operations.length
    ? verdict
    : checkLinearizability(operations, register, maxSteps);
}

/** What clients saw, by key: keys are independent, and short histories can be checked whole. */
export class History {
  readonly #operations = new Map<string, Operation<RegisterInput, RegisterOutput>[]>();

  add(key: string, operation: Operation<RegisterInput, RegisterOutput>): void {
    const operations = this.#operations.get(key) ?? [];
    this.#operations.set(key, operations);
    operations.push(operation);
  }

  get keys(): readonly string[] {
    return [...this.#operations.keys()];
  }

  /** Checks every key, with the order that the service told, and again without: both must be explained. */
  check(): Verdict {
    const illegal: string[] = [];
    const unknown: string[] = [];
    for (const [key, operations] of this.#operations) {
      const untold = operations.map(({ revision: _, ...operation }) => operation);
      const verdicts = [operations, untold].map(explain);
      if (verdicts.includes("illegal")) illegal.push(key);
      else if (verdicts.includes("unknown")) unknown.push(key);
    }
    return { keys: this.#operations.size, illegal, unknown };
  }

  /** The operations on a key, a line each, by the time of their call. */
  describe(key: string): string {
    const operations = [...(this.#operations.get(key) ?? [])].sort((a, b) => a.calledAt - b.calledAt);
    const lines = operations.map(({ calledAt, input, output, returnedAt, revision }) => {
      const end = output === undefined ? "       ?" : returnedAt.toFixed(1).padStart(8);
      const what = `${input.kind} ${input.value ?? ""}${"expected" in input ? ` if ${input.expected}` : ""}`;
      return `${calledAt.toFixed(1).padStart(8)} ${end}  ${what} → ${output} @${revision ?? ""}`;
    });
    return lines.join("\n");
  }
}
