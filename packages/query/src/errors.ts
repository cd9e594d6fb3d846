/** What went wrong, for programs. */
export type QueryErrorCode =
  /** A field of the request is not what it may be; see {@link QueryError.field}. Not retryable. */
  | "QUERY_INVALID"
  /** The answer takes more samples than a query may read. Retryable with a shorter range or fewer series. */
  | "QUERY_TOO_LARGE"
  /** The signal was aborted; its reason is the cause. */
  | "QUERY_CANCELLED";

/**
 * An error of a query; switch on {@link QueryError.code}, never on the message. One that says `QUERY_CANCELLED` is
 * named "AbortError". Errors of the store pass through as they are.
 */
export class QueryError extends Error {
  override readonly name: string;
  readonly code: QueryErrorCode;
  /** The field of the request that is to blame; only with `QUERY_INVALID`. */
  readonly field: string | undefined;

  constructor(code: QueryErrorCode, message: string, options: ErrorOptions & { field?: string } = {}) {
    super(message, options);
    this.name = code === "QUERY_CANCELLED" ? "AbortError" : "QueryError";
    this.code = code;
    this.field = options.field;
  }
}

/** A `QUERY_INVALID` that names the field, what it should be and the value it has. */
export function invalidField(
  field: string,
  expected: string,
  value: unknown,
  options?: ErrorOptions,
): QueryError {
  return new QueryError("QUERY_INVALID", `expected ${field} ${expected}, got ${String(value)}`, {
    ...options,
    field,
  });
}
