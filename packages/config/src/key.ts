import type { ValueType } from "./value-type.ts";

/** What every key says of itself. */
export interface KeyOptions {
  /** One sentence or two for operators: what it does, and what goes wrong at the extremes. */
  readonly description: string;
  /**
   * `true`: static, read once at start. `false`: dynamic, the running program may be given another value.
   */
  readonly restart: boolean;
  /** A flag of its own as command lines write it: `--grpc-port <port>`, or `--insecure` for a boolean. */
  readonly flag?: string;
  /**
   * Never shown, and accepted by reference too: `<key>File` in a file and `<VARIABLE>_FILE` in the environment name
   * a file that holds it.
   */
  readonly secret?: boolean;
}

/** How a key gets its value when no layer gives one. */
export type Absence<T> =
  | { readonly kind: "default"; readonly value: T }
  /** The value is undefined. `meaning` says what that does, for documentation. */
  | { readonly kind: "optional"; readonly meaning: string }
  /** The caller supplies it when loading. `meaning` says what it is, for documentation. */
  | { readonly kind: "supplied"; readonly meaning: string };

/** A leaf of a schema; made by {@link key}. */
export class Key<T> {
  readonly type: ValueType<T>;
  readonly absence: Absence<T>;
  readonly options: KeyOptions;

  constructor(type: ValueType<T>, absence: Absence<T>, options: KeyOptions) {
    this.type = type;
    this.absence = absence;
    this.options = options;
  }
}

/** A key with a default. */
export function key<T>(type: ValueType<T>, options: KeyOptions & { readonly default: NoInfer<T> }): Key<T>;
/** A key that may be left out; `optional` says what leaving it out means. */
export function key<T>(
  type: ValueType<T>,
  options: KeyOptions & { readonly optional: string },
): Key<T | undefined>;
/** A key whose default the caller supplies when loading; `supplied` says what it is. */
export function key<T>(type: ValueType<T>, options: KeyOptions & { readonly supplied: string }): Key<T>;
export function key<T>(
  type: ValueType<T>,
  options: KeyOptions & { readonly default?: T; readonly optional?: string; readonly supplied?: string },
): Key<T> {
  if (options.optional !== undefined) {
    return new Key(type, { kind: "optional", meaning: options.optional }, options);
  }
  if (options.supplied !== undefined) {
    return new Key(type, { kind: "supplied", meaning: options.supplied }, options);
  }
  return new Key(type, { kind: "default", value: options.default as T }, options);
}
