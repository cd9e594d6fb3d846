import { RE2JS } from "re2js";

interface Every {
  /** Names it among a host's checks; 1 to 128 characters of `A-Za-z0-9._-`. */
  readonly checkId: string;
  /** From one run to the next, 30,000 ms; 1,000 at least. */
  readonly intervalMs: number;
  /** How long a run may take, 5,000 ms, 10,000 for a script; less than the interval. */
  readonly timeoutMs: number;
}

/** A connection is accepted. */
export interface TcpCheck extends Every {
  readonly kind: "tcp";
  readonly host: string;
  readonly port: number;
}

/** A GET is answered. Redirects are not followed: 3xx is a status as any other. */
export interface HttpCheck extends Every {
  readonly kind: "http";
  readonly url: string;
  /** Ranges of statuses that pass, both ends included: 200 to 399. Of the others 429 warns and the rest fail. */
  readonly statuses: readonly (readonly [from: number, to: number])[];
  /** What the first 4,096 bytes of the body must match somewhere, in RE2's syntax: linear in their length, whatever it is. */
  readonly bodyMatch?: RE2JS;
  /** A good answer that takes longer warns. */
  readonly latencyMsMax?: number;
}

/** `grpc.health.v1.Health/Check` says SERVING. */
export interface GrpcCheck extends Every {
  readonly kind: "grpc";
  readonly host: string;
  readonly port: number;
  /** Of which service, empty for the server as a whole. */
  readonly service: string;
  readonly isTls: boolean;
}

/** A program ends with 0; with 1 it warns, with anything else it fails. Only from a local file, never over the network. */
export interface ScriptCheck extends Every {
  readonly kind: "script";
  /** Absolute, and in one of the folders that are allowed. */
  readonly path: string;
  readonly args: readonly string[];
}

/** A check of a host. Heartbeats are none: they come by themselves, and the register judges them. */
export type CheckSpec = TcpCheck | HttpCheck | GrpcCheck | ScriptCheck;

/** What somebody writes to describe a check: what is left out is filled in. */
export type CheckInput = {
  readonly checkId: string;
  readonly intervalMs?: number;
  readonly timeoutMs?: number;
} & (
  | { readonly kind: "tcp"; readonly host: string; readonly port: number }
  | {
      readonly kind: "http";
      readonly url: string;
      readonly statuses?: readonly (readonly [from: number, to: number])[];
      readonly bodyMatch?: string;
      readonly latencyMsMax?: number;
    }
  | {
      readonly kind: "grpc";
      readonly host: string;
      readonly port: number;
      readonly service?: string;
      readonly isTls?: boolean;
    }
  | { readonly kind: "script"; readonly path: string; readonly args?: readonly string[] }
);

/** Who asks for a check, and what such checks may do. */
export interface CheckOrigin {
  /** Folders whose programs may be run; only a local file gives any. Empty: scripts are refused. */
  readonly scriptFolders: readonly string[];
}

/** A check that came over the network, or from a file that allows no scripts. */
export const withoutScripts: CheckOrigin = Object.freeze({ scriptFolders: Object.freeze([]) });

const checkIdPattern = /^[A-Za-z0-9][A-Za-z0-9._-]{0,127}$/;
const dayMs = 86_400_000;

/**
 * Checks what somebody wrote, and fills in the rest.
 *
 * @throws {RangeError} naming the field and what it got
 */
export function resolveCheck(input: CheckInput, origin: CheckOrigin = withoutScripts): CheckSpec {
  const { checkId, intervalMs = 30_000, timeoutMs = input.kind === "script" ? 10_000 : 5_000 } = input;
  expect(checkIdPattern.test(checkId), "checkId to be 1 to 128 of A-Za-z0-9._-", checkId);
  expectInteger("intervalMs", intervalMs, 1_000, dayMs);
  expectInteger("timeoutMs", timeoutMs, 1, dayMs);
  expect(timeoutMs < intervalMs, `timeoutMs to be less than intervalMs, ${intervalMs}`, timeoutMs);
  const every = { checkId, intervalMs, timeoutMs };
  switch (input.kind) {
    case "tcp":
      return { ...every, kind: "tcp", ...endpoint(input) };
    case "grpc": {
      const { service = "", isTls = false } = input;
      expect(service.length <= 256, "service to have at most 256 characters", service.length);
      return { ...every, kind: "grpc", ...endpoint(input), service, isTls };
    }
    case "http":
      return { ...every, ...httpPart(input) };
    case "script":
      return { ...every, ...scriptPart(input, origin) };
    default:
      return input satisfies never;
  }
}

function endpoint({ host, port }: { readonly host: string; readonly port: number }): {
  readonly host: string;
  readonly port: number;
} {
  expect(/^[A-Za-z0-9.:_-]{1,253}$/.test(host), "host to be a name or an address", host);
  expectInteger("port", port, 1, 65_535);
  return { host, port };
}

function httpPart(input: CheckInput & { kind: "http" }): Omit<HttpCheck, keyof Every> {
  const { url, statuses = [[200, 399]], bodyMatch, latencyMsMax } = input;
  const parsed = URL.canParse(url) ? new URL(url) : undefined;
  const isFine =
    parsed !== undefined &&
    /^https?:$/.test(parsed.protocol) &&
    parsed.username === "" &&
    parsed.password === "";
  expect(isFine && url.length <= 2_048, "url to be http or https, without a user", url);
  expect(statuses.length > 0 && statuses.length <= 16, "statuses to be 1 to 16 ranges", statuses.length);
  for (const [from, to] of statuses) {
    expectInteger("statuses", from, 100, 599);
    expectInteger("statuses", to, from, 599);
  }
  if (latencyMsMax !== undefined) expectInteger("latencyMsMax", latencyMsMax, 1, dayMs);
  return {
    kind: "http",
    url,
    statuses,
    ...(bodyMatch === undefined ? {} : { bodyMatch: compile(bodyMatch) }),
    ...(latencyMsMax === undefined ? {} : { latencyMsMax }),
  };
}

function compile(pattern: string): RE2JS {
  expect(pattern.length <= 1_024, "bodyMatch to have at most 1,024 characters", pattern.length);
  try {
    return RE2JS.compile(pattern);
  } catch (error) {
    throw new RangeError(`expected bodyMatch to be an expression of RE2, got ${JSON.stringify(pattern)}`, {
      cause: error,
    });
  }
}

function scriptPart(
  { path, args = [] }: CheckInput & { kind: "script" },
  { scriptFolders }: CheckOrigin,
): Omit<ScriptCheck, keyof Every> {
  expect(scriptFolders.length > 0, "no script, which only a local file that names folders may ask for", path);
  const isPlain = path.startsWith("/") && !path.split("/").some((part) => part === "." || part === "..");
  expect(isPlain && !path.includes("\0"), "path to be absolute, without . and ..", path);
  const isInside = scriptFolders.some((folder) => path.startsWith(`${folder.replace(/\/+$/, "")}/`));
  expect(isInside, `path to be in one of ${scriptFolders.join(", ")}`, path);
  expect(args.length <= 64, "at most 64 args", args.length);
  expect(
    !args.some((each) => each.length > 4_096 || each.includes("\0")),
    "args of at most 4,096 characters",
    args.length,
  );
  return { kind: "script", path, args };
}

function expectInteger(name: string, value: number, min: number, max: number): void {
  expect(Number.isInteger(value) && value >= min && value <= max, `${name} from ${min} to ${max}`, value);
}

function expect(isSo: boolean, expected: string, got: string | number): void {
  if (!isSo) throw new RangeError(`expected ${expected}, got ${JSON.stringify(got)}`);
}
