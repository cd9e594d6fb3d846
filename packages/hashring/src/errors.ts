/** What went wrong; stable, so switch on this and never on the message. The README says what to do about each. */
export type RingErrorCode =
  | "RING_DUPLICATE_MEMBER"
  | "RING_UNKNOWN_MEMBER"
  | "RING_UNKNOWN_HASH"
  | "RING_INCOMPARABLE"
  | "RING_MALFORMED"
  | "RING_UNSUPPORTED_VERSION"
  | "RING_FINGERPRINT_MISMATCH";

/**
 * What depends on state or on foreign bytes and can therefore happen to a correct caller. A value that could never be
 * right is a `TypeError` or a `RangeError` instead.
 */
export class RingError extends Error {
  override readonly name: "RingError" = "RingError";
  readonly code: RingErrorCode;

  constructor(code: RingErrorCode, message: string, options?: ErrorOptions) {
    super(message, options);
    this.code = code;
  }
}
