import type { CheckSpec, GrpcCheck, HttpCheck } from "./check-spec.ts";
import type { CheckStatus } from "./check-state.ts";
import type { GrpcReading, HttpReading, Probes, ScriptReading } from "./probes.ts";

/** What a run of a check says. */
export interface CheckOutcome {
  readonly status: CheckStatus;
  /** For people, at most 4 KB. Of a body that was fetched nothing is in it: whoever asks for a check shall not read by it. */
  readonly output: string;
}

/**
 * Runs a check once. Never rejects: whatever goes wrong is an outcome.
 *
 * @param nowMs - the time, for latencies
 */
export async function outcomeOf(
  check: CheckSpec,
  probes: Probes,
  signal: AbortSignal,
  nowMs: () => number,
): Promise<CheckOutcome> {
  try {
    switch (check.kind) {
      case "tcp":
        await probes.connect(check, { signal });
        return { status: "passing", output: `${check.host}:${check.port} accepts connections` };
      case "http": {
        const beganMs = nowMs();
        return ofHttp(check, await probes.get(check.url, { signal }), nowMs() - beganMs);
      }
      case "grpc":
        return ofGrpc(check, await probes.grpcHealth(check, { signal }));
      case "script":
        return ofScript(await probes.run(check, { signal }));
      default:
        return check satisfies never;
    }
  } catch (error) {
    const reason = signal.aborted ? signal.reason : error;
    return { status: "critical", output: reason instanceof Error ? reason.message : String(reason) };
  }
}

function ofHttp(
  { statuses, bodyMatch, latencyMsMax }: HttpCheck,
  { status, body }: HttpReading,
  tookMs: number,
): CheckOutcome {
  if (!statuses.some(([from, to]) => status >= from && status <= to)) {
    const wanted = statuses.map(([from, to]) => (from === to ? from : `${from}–${to}`)).join(", ");
    return { status: status === 429 ? "warning" : "critical", output: `expected ${wanted}, got ${status}` };
  }
  if (bodyMatch !== undefined && !bodyMatch.matcher(Buffer.from(body).toString()).find()) {
    const where = `the first ${body.length} bytes of the body`;
    return { status: "critical", output: `${status}; expected ${where} to match ${bodyMatch.pattern()}` };
  }
  if (latencyMsMax !== undefined && tookMs > latencyMsMax) {
    const took = Math.round(tookMs);
    return {
      status: "warning",
      output: `${status}; expected an answer within ${latencyMsMax} ms, took ${took}`,
    };
  }
  return { status: "passing", output: String(status) };
}

const servings = ["UNKNOWN", "SERVING", "NOT_SERVING", "SERVICE_UNKNOWN"];
const unimplemented = 12;

function ofGrpc({ service }: GrpcCheck, { code, message, serving }: GrpcReading): CheckOutcome {
  const whose = service === "" ? "the server" : service;
  if (code === unimplemented)
    return { status: "critical", output: "UNIMPLEMENTED: it speaks gRPC and has no grpc.health.v1.Health" };
  if (code !== 0) return { status: "critical", output: `gRPC status ${code}${message && `: ${message}`}` };
  const name = servings[serving ?? 0] ?? String(serving);
  return { status: serving === 1 ? "passing" : "critical", output: `${whose} is ${name}` };
}

function ofScript({ exitCode, signal, output }: ScriptReading): CheckOutcome {
  const statuses: readonly CheckStatus[] = ["passing", "warning"];
  if (exitCode === undefined) return { status: "critical", output: output || `ended by ${signal}` };
  return { status: statuses[exitCode] ?? "critical", output: output || `exit code ${exitCode}` };
}
