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
  labelValueBytesMax: 2_048,
  nan: "reject",
  infinite: "reject",
  ranges: [],
});

/** Completes rules with the defaults. @throws {RangeError} that names the rule and the value it got */
export function resolveRules(rules: Partial<IntakeRules>): IntakeRules {
  const resolved = { ...defaultRules, ...rules };
  const bounds: readonly [keyof IntakeRules, number, number][] = [
    ["behindMs", 1, Number.MAX_SAFE_INTEGER],
    ["aheadMs", 0, Number.MAX_SAFE_INTEGER],
    ["samplesMax", 1, 1_000_000],
    ["labelsMax", 0, 1_000],
    ["nameBytesMax", 1, 65_536],
    ["labelValueBytesMax", 0, 65_536],
  ];
  for (const [name, min, max] of bounds) {
    const value = resolved[name];
    if (!Number.isInteger(value) || Number(value) < min || Number(value) > max) {
      throw new RangeError(`expected ${name} to be an integer from ${min} to ${max}, got ${String(value)}`);
    }
  }
  return resolved;
}

/** How many metric names {@link RangeRules} remembers the rule of. */
const rememberedNames = 10_000;

/** Range rules, found by metric name. */
export class RangeRules {
  readonly #rules: readonly { readonly pattern: RegExp; readonly rule: RangeRule }[];
  readonly #byName = new Map<string, RangeRule | undefined>();

  constructor(rules: readonly RangeRule[]) {
    this.#rules = rules.map((rule) => ({ pattern: glob(rule.metric), rule }));
  }

  get isEmpty(): boolean {
    return this.#rules.length === 0;
  }

  /** The rule that holds for a metric. O(1) once the name has been seen, else O(rules). */
  find(name: string): RangeRule | undefined {
    if (this.#byName.has(name)) return this.#byName.get(name);
    const rule = this.#rules.find(({ pattern }) => pattern.test(name))?.rule;
    if (this.#byName.size === rememberedNames) this.#byName.clear();
    this.#byName.set(name, rule);
    return rule;
  }
}

function glob(pattern: string): RegExp {
  const expression = pattern
    .replace(/[.+^${}()|[\]\\]/g, "\\$&")
    .replaceAll("*", "[^]*")
    .replaceAll("?", "[^]");
  return new RegExp(`^${expression}$`);
}

/** Whether a value lies in a rule's range; NaN does not. */
export function isInRange(rule: RangeRule, value: number): boolean {
  return value >= (rule.min ?? Number.NEGATIVE_INFINITY) && value <= (rule.max ?? Number.POSITIVE_INFINITY);
}
