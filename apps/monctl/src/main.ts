#!/usr/bin/env node
import packageJson from "../package.json" with { type: "json" };
import { run } from "./run.ts";

const stop = new AbortController();
for (const signal of ["SIGINT", "SIGTERM"] as const) {
  process.once(signal, () => {
    stop.abort();
    process.stdin.destroy();
  });
}
process.stdout.on("error", (error: NodeJS.ErrnoException) => {
  // The reader of a pipe has had enough, as `head` does.
  if (error.code === "EPIPE") process.exit(0);
  throw error;
});

process.exitCode = await run({
  version: packageJson.version,
  args: process.argv.slice(2),
  env: process.env,
  stdin: process.stdin,
  stdout: process.stdout,
  stderr: process.stderr,
  stop: stop.signal,
  now: Date.now,
});
