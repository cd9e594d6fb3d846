import { spawn } from "node:child_process";
import { once } from "node:events";
import { mkdtemp, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { createInterface } from "node:readline";
import { fileURLToPath } from "node:url";
import type { TestAuthority } from "../../../../tools/build/certificate.ts";

const main = fileURLToPath(import.meta.resolve("@mon/broker/src/main.ts"));

/** The real broker, in a process of its own, with a directory that goes away with it. */
export interface BrokerProcess extends AsyncDisposable {
  /** Its agent door as host and port. */
  readonly address: string;
  /** For data, and for whatever a test keeps. */
  readonly directory: string;
}

/**
 * Starts the real broker on free ports.
 *
 * @param authority - who signs its certificate; absent for no TLS
 * @throws when it ends before it serves, with what it wrote
 */
export async function startBrokerProcess(authority?: TestAuthority): Promise<BrokerProcess> {
  const directory = await mkdtemp(join(tmpdir(), "monctl-broker-"));
  const ports = ["--data-dir", join(directory, "data"), "--grpc-port", "0", "--http-port", "0"];
  const child = spawn(
    process.execPath,
    ["--conditions=@mon/source", main, ...ports, ...(await tlsFlags(directory, authority))],
    // Variables that begin with MON_ are settings of the broker.
    { env: { PATH: process.env.PATH }, stdio: ["ignore", "pipe", "pipe"] },
  );
  const exited = once(child, "close");
  let errors = "";
  child.stderr.setEncoding("utf8").on("data", (text: string) => {
    errors += text;
  });
  const port = await new Promise<number>((resolve, reject) => {
    createInterface(child.stdout).on("line", (line) => {
      const { msg, grpcPort } = JSON.parse(line);
      if (msg === "serving") resolve(grpcPort);
    });
    exited.then(() => reject(new Error(`expected a broker that serves, got ${errors}`)), reject);
  });
  return {
    address: `127.0.0.1:${port}`,
    directory,
    async [Symbol.asyncDispose]() {
      child.kill("SIGKILL");
      await exited;
      await rm(directory, { recursive: true });
    },
  };
}

async function tlsFlags(directory: string, authority: TestAuthority | undefined): Promise<string[]> {
  if (authority === undefined) return [];
  const { certificate, key } = authority.issue();
  const files = { certFile: join(directory, "cert.pem"), keyFile: join(directory, "key.pem") };
  await Promise.all([writeFile(files.certFile, certificate), writeFile(files.keyFile, key)]);
  return ["--set", `tls.certFile=${files.certFile}`, "--set", `tls.keyFile=${files.keyFile}`];
}
