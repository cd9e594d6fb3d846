import { Code, ConnectError } from "@connectrpc/connect";

/** What went wrong, for programs; each code has one exit code, see {@link exitCodes}. */
type MonctlErrorCode =
  | "MONCTL_FAILURE"
  | "MONCTL_USAGE"
  | "MONCTL_NOT_FOUND"
  | "MONCTL_UNAUTHORISED"
  | "MONCTL_UNREACHABLE"
  | "MONCTL_CONFLICT"
  | "MONCTL_TIMEOUT"
  | "MONCTL_NOT_LEADER";

/** The exit code of the process for each error; 0 is success. They never change meaning. */
const exitCodes: Readonly<Record<MonctlErrorCode, number>> = Object.freeze({
  MONCTL_FAILURE: 1,
  MONCTL_USAGE: 2,
  MONCTL_NOT_FOUND: 3,
  MONCTL_UNAUTHORISED: 4,
  MONCTL_UNREACHABLE: 5,
  MONCTL_CONFLICT: 6,
  MONCTL_TIMEOUT: 7,
  MONCTL_NOT_LEADER: 8,
});

interface MonctlErrorOptions {
  hint?: string;
  cause?: unknown;
  facts?: Readonly<Record<string, string | number>>;
}

/** What a command fails with. `message` says what happened, `hint` what to do about it. */
export class MonctlError extends Error {
  override readonly name: string = "MonctlError";
  readonly code: MonctlErrorCode;
  readonly hint: string | undefined;
  /** What programs may want to know besides, by name. */
  readonly facts: Readonly<Record<string, string | number>>;

  constructor(code: MonctlErrorCode, message: string, options: MonctlErrorOptions = {}) {
    super(message, options.cause === undefined ? undefined : { cause: options.cause });
    this.code = code;
    this.hint = options.hint;
    this.facts = options.facts ?? {};
  }

  /** The process exits with this. */
  get exitCode(): number {
    return exitCodes[this.code];
  }

  /** The shape that `--json` prints. */
  toJSON(): { error: { code: MonctlErrorCode; message: string; hint: string | null } } {
    return { error: { code: this.code, message: this.message, hint: this.hint ?? null, ...this.facts } };
  }

  /** Normalises whatever was thrown; a {@link MonctlError} is handed back as it is. */
  static from(reason: unknown): MonctlError {
    if (reason instanceof MonctlError) return reason;
    if (reason instanceof ConnectError) {
      return reason.cause instanceof MonctlError ? reason.cause : fromConnectError(reason);
    }
    const message = reason instanceof Error ? reason.message : String(reason);
    return new MonctlError("MONCTL_FAILURE", message, { cause: reason });
  }
}

const codes: ReadonlyMap<Code, { code: MonctlErrorCode; hint?: string }> = new Map([
  [Code.InvalidArgument, { code: "MONCTL_USAGE" }],
  [Code.OutOfRange, { code: "MONCTL_USAGE" }],
  [Code.NotFound, { code: "MONCTL_NOT_FOUND" }],
  [Code.Unauthenticated, { code: "MONCTL_UNAUTHORISED" }],
  [Code.PermissionDenied, { code: "MONCTL_UNAUTHORISED" }],
  [
    Code.Unavailable,
    { code: "MONCTL_UNREACHABLE", hint: "the broker may be starting or draining; try again" },
  ],
  // A call that this program cancels itself is not reported; what is left is a connection that went away.
  [Code.Canceled, { code: "MONCTL_UNREACHABLE", hint: "try again" }],
  [Code.Aborted, { code: "MONCTL_CONFLICT" }],
  [Code.AlreadyExists, { code: "MONCTL_CONFLICT" }],
  [Code.DeadlineExceeded, { code: "MONCTL_TIMEOUT", hint: "allow more time with --timeout" }],
  [Code.FailedPrecondition, { code: "MONCTL_NOT_LEADER" }],
  [
    Code.Unimplemented,
    {
      code: "MONCTL_FAILURE",
      hint: "the address is no broker's agent door, or the broker is older than this monctl",
    },
  ],
]);

function fromConnectError(error: ConnectError): MonctlError {
  const { code, hint } = codes.get(error.code) ?? { code: "MONCTL_FAILURE" as const };
  const said = error.rawMessage || `the broker answered ${Code[error.code]}`;
  const message = error.code === Code.Canceled ? `the connection to the broker was lost: ${said}` : said;
  return new MonctlError(code, message, { ...(hint === undefined ? {} : { hint }), cause: error });
}
