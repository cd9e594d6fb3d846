import type { Origin } from "./origin.ts";

/** One thing that is wrong with a configuration. */
export interface ConfigProblem {
  /** The key, as `listen.grpcPort` or `intake.ranges[2].action`; for YAML that cannot be read, the file's path. */
  readonly path: string;
  /** What came, as one bounded line; `<redacted>` for a secret, never the text of an unknown key. */
  readonly value: string;
  /** What would have been right, with the allowed range. */
  readonly expected: string;
  /** Which layer it came from. */
  readonly origin: Origin;
  /** Where exactly: `--listen`, `MON_LISTEN_ADDRESS`, `mon.yaml:12`, `default`. */
  readonly source: string;
  /** What may help, such as `did you mean listen.grpcPort?` */
  readonly hint?: string;
}

/** The closed set of codes of {@link ConfigError}. */
export type ConfigErrorCode = "CONFIG_INVALID";

/**
 * The configuration cannot be used. Nothing of it was applied.
 *
 * `message` has one line for each problem: a single problem makes a single line, several are preceded by their
 * number. No line holds a secret or a stack trace.
 */
export class ConfigError extends Error {
  override readonly name = "ConfigError";
  readonly code: ConfigErrorCode = "CONFIG_INVALID";
  /** What is wrong, in order of discovery; never empty. */
  readonly problems: readonly ConfigProblem[];
  /** How many further problems were found and not kept. */
  readonly omitted: number;

  constructor(problems: readonly ConfigProblem[], omitted = 0) {
    const lines = problems.map(problemLine);
    if (omitted > 0) lines.push(`and ${omitted} more`);
    super(lines.length === 1 ? lines[0] : [`${problems.length + omitted} problems:`, ...lines].join("\n"));
    this.problems = problems;
    this.omitted = omitted;
  }
}

/** The line of a problem: path, what was expected, what came, where. */
function problemLine(problem: ConfigProblem): string {
  const hint = problem.hint === undefined ? "" : `; ${problem.hint}`;
  return `${problem.path}: expected ${problem.expected}, got ${problem.value}${hint} (${problem.source})`;
}

/** The most problems that one {@link ConfigError} keeps; more are counted. */
const problemsMax = 100;

/** Collects problems up to a bound and counts the rest. */
export class ProblemList {
  readonly #problems: ConfigProblem[] = [];
  readonly #spoilt = new Set<string>();
  #omitted = 0;

  /** @param spoilt - path of the key or group that the problem spoils, when not its own; empty for everything */
  add(problem: ConfigProblem, spoilt: string = problem.path): void {
    this.#spoilt.add(spoilt);
    if (this.#problems.length >= problemsMax) {
      this.#omitted++;
      return;
    }
    this.#problems.push(problem);
  }

  /** Whether a problem spoils the key at `path`, a group that it is in, or everything. */
  spoils(path: string): boolean {
    const names = path.split(".");
    return [...names.keys(), names.length].some((depth) => this.#spoilt.has(names.slice(0, depth).join(".")));
  }

  /** @throws {ConfigError} CONFIG_INVALID when there is any problem */
  throwIfAny(): void {
    if (this.#problems.length > 0) throw new ConfigError(this.#problems, this.#omitted);
  }
}
