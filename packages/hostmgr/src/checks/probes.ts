/** What a GET was answered with. */
export interface HttpReading {
  readonly status: number;
  /** The first of it, at most {@link bodyBytesMax}. */
  readonly body: Uint8Array;
}

/** What `grpc.health.v1.Health/Check` was answered with. */
export interface GrpcReading {
  /** gRPC's status, 0 for OK. */
  readonly code: number;
  /** What came with it, for people. */
  readonly message: string;
  /** The ServingStatus of the answer: 0 unknown, 1 serving, 2 not serving, 3 service unknown. Undefined unless OK. */
  readonly serving: number | undefined;
}

/** How a script ended. */
export interface ScriptReading {
  /** Undefined when a signal ended it. */
  readonly exitCode: number | undefined;
  readonly signal: string | undefined;
  /** What it printed last, both streams in the order in which they came; at most 4 KB, and a note when there was more. */
  readonly output: string;
}

/** What a probe is told besides its target. */
export interface ProbeOptions {
  /** Ends it: it lets go of all that it holds, and rejects. */
  readonly signal: AbortSignal;
}

/**
 * The outside world, as checks touch it. Each promise rejects with an error for people when there was no answer, and settles
 * soon after its signal aborts. An address where nothing may be sent is such a failure; it is looked at where the connection
 * is made, so that a name cannot lead elsewhere the second time.
 */
export interface Probes {
  /** Resolves when a connection is accepted; it is closed at once. */
  connect(target: { readonly host: string; readonly port: number }, options: ProbeOptions): Promise<void>;
  /** Follows no redirect. */
  get(url: string, options: ProbeOptions): Promise<HttpReading>;
  grpcHealth(
    target: {
      readonly host: string;
      readonly port: number;
      readonly service: string;
      readonly isTls: boolean;
    },
    options: ProbeOptions,
  ): Promise<GrpcReading>;
  /** Runs a program without a shell, with an environment of its own, and ends all that it has started. */
  run(
    script: { readonly path: string; readonly args: readonly string[] },
    options: ProbeOptions,
  ): Promise<ScriptReading>;
}

/** Bytes of a body that are read. */
export const bodyBytesMax = 4_096;
/** Bytes of output that are kept. */
export const outputBytesMax = 4_096;
