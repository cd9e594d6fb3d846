import { assertIntegers } from "./integer-bounds.ts";

/** What happens to a value outside its metric's range: its sample is rejected, or kept with a mark. */
export type RangeAction = "drop" | "mark";

/** The plausible range of the metrics that a pattern names. */
export interface RangeRule {
  /** A metric name; `*` stands for any characters and `?` for one. The first rule that names a metric holds. */
  readonly metric: string;
  /** Smallest plausible value; absent for none. */
  readonly min?: number | undefined;
  /** Largest plausible value; absent for none. */
  readonly max?: number | undefined;
  readonly action: RangeAction;
}

/** What becomes of values that are no finite numbers. Prometheus's stale marker is always kept. */
export type NonFinitePolicy = "reject" | "keep";

/**
 * What becomes of names that are OpenTelemetry's (letters, digits, `_`, `.`, `-`, `/`, a letter first) but not
 * Prometheus's: they are translated by OpenTelemetry's rules, or rejected.
 */
export type NamePolicy = "translate" | "reject";

/** What a report must be like. All can be changed while running, with {@link Intake.configure}. */
export interface IntakeRules {
  /** How far back a report's time may lie, in milliseconds. Default 7 days. */
  readonly behindMs: number;
  /** How far ahead of the clock a report's time may lie, in milliseconds. Default 10 minutes. */
  readonly aheadMs: number;
  /** Samples that a batch may hold. Default 10,000; more rejects the batch. */
  readonly samplesMax: number;
  /** Labels that a series may have. Default 32. */
  readonly labelsMax: number;
  /** Bytes of a metric's or label's name. Default 1,024; at most 65,536. */
  readonly nameBytesMax: number;
  /** Default "translate"; see {@link prometheusName}. */
  readonly names: NamePolicy;
  /** Bytes of a label's value. Default 2,048; at most 65,536. */
  readonly labelValueBytesMax: number;
  /** Default "reject". */
  readonly nan: NonFinitePolicy;
  /** Default "reject". */
  readonly infinite: NonFinitePolicy;
  /** Default none. */
  readonly ranges: readonly RangeRule[];
}

/** The rules unless told otherwise. */
export const defaultRules: IntakeRules = Object.freeze({
  behindMs: 7 * 24 * 3_600_000,
  aheadMs: 600_000,
  samplesMax: 10_000,
  labelsMax: 32,
  nameBytesMax: 1_024,
  names: "translate",
  labelValueBytesMax: 2_048,
  nan: "reject",
  infinite: "reject",
  ranges: [],
});

/** Completes rules with the defaults. @throws {RangeError} that names the rule and the value it got */
export function resolveRules(rules: Partial<IntakeRules>): IntakeRules {
  const resolved = { ...defaultRules, ...rules };
  assertIntegers(resolved, {
    behindMs: [1, Number.MAX_SAFE_INTEGER],
    aheadMs: [0, Number.MAX_SAFE_INTEGER],
    samplesMax: [1, 1_000_000],
    labelsMax: [0, 1_000],
    nameBytesMax: [1, 65_536],
    labelValueBytesMax: [0, 65_536],
  });
  assertPolicy("names", resolved.names, ["translate", "reject"]);
  assertPolicy("nan", resolved.nan, ["reject", "keep"]);
  assertPolicy("infinite", resolved.infinite, ["reject", "keep"]);
  for (const [index, rule] of resolved.ranges.entries()) assertRange(`ranges[${index}]`, rule);
  return resolved;
}

function assertPolicy(rule: string, policy: string, known: readonly [string, string]): void {
  if (known.includes(policy)) return;
  throw new RangeError(`expected ${rule} to be "${known.join('" or "')}", got ${JSON.stringify(policy)}`);
}

function assertRange(path: string, { metric, min, max, action }: RangeRule): void {
  if (metric === "") throw new RangeError(`expected ${path}.metric to name a metric, got an empty text`);
  if (action !== "drop" && action !== "mark")
    throw new RangeError(`expected ${path}.action to be "drop" or "mark", got ${JSON.stringify(action)}`);
  const low = min ?? Number.NEGATIVE_INFINITY;
  const high = max ?? Number.POSITIVE_INFINITY;
  if (!(low <= high))
    throw new RangeError(`expected ${path}.min to be at most ${path}.max, got ${min} and ${max}`);
}

/** How many metric names {@link RangeRules} remembers the rule of. */
const rememberedNames = 10_000;

/** Range rules, found by metric name. */
export class RangeRules {
  readonly #rules: readonly RangeRule[];
  readonly #byName = new Map<string, RangeRule | undefined>();

  constructor(rules: readonly RangeRule[]) {
    this.#rules = rules;
  }

  get isEmpty(): boolean {
    return this.#rules.length === 0;
  }

  /** The rule that holds for a metric. O(1) once the name has been seen, else O(rules). */
  find(name: string): RangeRule | undefined {
    if (this.#byName.has(name)) return this.#byName.get(name);
    const rule = this.#rules.find(({ metric }) => matchesGlob(metric, name));
    if (this.#byName.size === rememberedNames) this.#byName.clear();
    this.#byName.set(name, rule);
    return rule;
  }

  /** As {@link RangeRules.find}, for a name in ASCII. */
  findBytes(bytes: Uint8Array, start: number, end: number): RangeRule | undefined {
    if (this.isEmpty) return undefined;
    let name = "";
    for (let i = start; i < end; i++) name += String.fromCharCode(bytes[i]!);
    return this.find(name);
  }
}

/** Whether a text is what a pattern with `*` and `?` stands for. O(pattern × text) at worst, whatever the pattern. */
function matchesGlob(pattern: string, text: string): boolean {
  let p = 0;
  let t = 0;
  /** Where to go back to: the last star, and the first character that it does not stand for yet. */
  let star = -1;
  let starEnd = 0;
  while (t < text.length) {
    if (pattern[p] === "*") {
      star = p++;
      starEnd = t;
    } else if (pattern[p] === "?" || pattern[p] === text[t]) {
      p++;
      t++;
    } else if (star >= 0) {
      p = star + 1;
      t = ++starEnd;
    } else {
      return false;
    }
  }
  while (pattern[p] === "*") p++;
  return p === pattern.length;
}

/** Whether a value lies in a rule's range; NaN does not. */
export function isInRange(rule: RangeRule, value: number): boolean {
  return value >= (rule.min ?? Number.NEGATIVE_INFINITY) && value <= (rule.max ?? Number.POSITIVE_INFINITY);
}
