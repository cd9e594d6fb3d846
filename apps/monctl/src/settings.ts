import { MonctlError } from "./errors.ts";
import { parseDuration } from "./time.ts";

/** How data is written to standard output. */
export type Format = "table" | "json" | "jsonl" | "csv";

/** The options that every command takes, as they were typed. */
export interface GlobalFlags {
  broker?: string;
  ca?: string;
  timeout?: string;
  output?: string;
  json?: boolean;
  quiet?: boolean;
  trace?: boolean;
  /** False after `--no-headers`. */
  headers?: boolean;
  /** False after `--no-color`. */
  color?: boolean;
}

/** What applies after flags, environment and defaults, in this order. */
export interface Settings {
  /** Base address of a broker's agent door, without a trailing slash. */
  brokerUrl: string;
  /** PEM file of the authority that signs for brokers; undefined for those that the system trusts. */
  caFile: string | undefined;
  /** Bound of connecting, of a call, and of the silence between two messages of an answer. */
  timeoutMs: number;
  format: Format;
  /** Whether the format was asked for, or is the default. */
  formatChosen: boolean;
  headers: boolean;
  /** Ids only. */
  quiet: boolean;
  /** ANSI colours. */
  color: boolean;
  /** Requests on standard error. */
  trace: boolean;
}

/** What applies when neither a flag nor the environment says otherwise. */
export const defaults: { readonly broker: string; readonly timeout: string } = Object.freeze({
  broker: "http://127.0.0.1:7400",
  timeout: "10s",
});

/**
 * Resolves flags over `MON_BROKER`, `MON_CA`, `MON_TIMEOUT` and `NO_COLOR` over {@link defaults}. With an authority, an
 * address without a scheme is `https://`, and one with `http://` is refused.
 *
 * @param terminal - whether standard output is a terminal; colours need one
 * @throws {MonctlError} MONCTL_USAGE, naming the flag or variable and what it was
 */
export function resolveSettings(
  flags: GlobalFlags,
  env: Readonly<Record<string, string | undefined>>,
  terminal: boolean,
): Settings {
  const caFile = flags.ca ?? (env.MON_CA || undefined);
  const local = defaults.broker.replace("http:", caFile === undefined ? "http:" : "https:");
  const broker = pick("--broker", flags.broker, "MON_BROKER", env.MON_BROKER, local);
  const timeout = pick("--timeout", flags.timeout, "MON_TIMEOUT", env.MON_TIMEOUT, defaults.timeout);
  return {
    brokerUrl: parseBrokerUrl(broker.text, broker.field, caFile !== undefined),
    caFile,
    timeoutMs: parseTimeout(timeout.text, timeout.field),
    format: resolveFormat(flags),
    formatChosen: flags.json === true || flags.output !== undefined,
    headers: flags.headers ?? true,
    quiet: flags.quiet ?? false,
    color: terminal && flags.color !== false && !env.NO_COLOR && env.TERM !== "dumb",
    trace: flags.trace ?? false,
  };
}

function pick(
  flagName: string,
  flag: string | undefined,
  variableName: string,
  variable: string | undefined,
  fallback: string,
): { text: string; field: string } {
  if (flag !== undefined) return { text: flag, field: flagName };
  // An empty variable counts as unset, as shells make it easy to leave one behind.
  if (variable) return { text: variable, field: variableName };
  return { text: fallback, field: flagName };
}

function parseBrokerUrl(text: string, field: string, hasAuthority: boolean): string {
  const scheme = hasAuthority ? "https" : "http";
  const address = /^[a-z][a-z0-9+.-]*:\/\//i.test(text) ? text : `${scheme}://${text}`;
  const url = URL.canParse(address) ? new URL(address) : undefined;
  if (url === undefined || (url.protocol !== "http:" && url.protocol !== "https:") || url.username !== "") {
    throw new MonctlError("MONCTL_USAGE", `expected ${field} to be an address, got "${text}"`, {
      hint: `write host:port, http://host:port or https://host:port, for example ${defaults.broker}`,
    });
  }
  if (hasAuthority && url.protocol === "http:") {
    throw new MonctlError(
      "MONCTL_USAGE",
      `expected ${field} to be an https:// address with --ca, got "${text}"`,
    );
  }
  return url.origin + url.pathname.replace(/\/+$/, "");
}

/** The longest delay that a timer of Node takes, in milliseconds. */
const timerMsMax = 2_147_483_647;

function parseTimeout(text: string, field: string): number {
  const timeoutMs = parseDuration(text, field);
  if (timeoutMs <= timerMsMax) return timeoutMs;
  throw new MonctlError("MONCTL_USAGE", `expected ${field} to be at most 24d, got "${text}"`);
}

function resolveFormat(flags: GlobalFlags): Format {
  if (flags.json && flags.output !== undefined && flags.output !== "json") {
    throw new MonctlError(
      "MONCTL_USAGE",
      `expected one output format, got --json and --output ${flags.output}`,
    );
  }
  if (flags.json) return "json";
  const format = flags.output ?? "table";
  if (format === "table" || format === "json" || format === "jsonl" || format === "csv") return format;
  throw new MonctlError("MONCTL_USAGE", `expected --output table, json, jsonl or csv, got "${format}"`);
}
