import { ExitCode } from "../exit-code.ts";

/** Why a broker cannot be part of its cluster, and with what it ends. The message says the way out. */
export class ClusterStartError extends Error {
  override readonly name = "ClusterStartError";
  readonly exitCode: ExitCode;

  /** @param fault - `data`: what is in the data directory; `configuration`: what it was told */
  constructor(fault: "data" | "configuration", message: string, options: ErrorOptions = {}) {
    super(message, options);
    this.exitCode = fault === "data" ? ExitCode.dataUnusable : ExitCode.configInvalid;
  }
}
