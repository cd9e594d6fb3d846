import { open, rm } from "node:fs/promises";
import path from "node:path";
import { percentile } from "../bench/percentile.ts";
import { Http2Link, requestHead } from "./http2-link.ts";
import { valueBytes } from "./load.ts";
import { Program } from "./program.ts";

/** What a put by one client cannot be quicker than, measured where the servers are. */
export interface PutFloor {
  /** An append of as many bytes as a value, and fdatasync. */
  readonly syncMs: number;
  /** As many bytes to another process and a few back, by a stream of bare node:http2. */
  readonly roundTripMs: number;
}

const times = 300;

/** Medians. */
export async function measurePutFloor(directory: string): Promise<PutFloor> {
  return { syncMs: await measureSync(directory), roundTripMs: await measureRoundTrip() };
}

async function measureSync(directory: string): Promise<number> {
  const file = path.join(directory, "sync");
  const handle = await open(file, "a");
  try {
    const record = Buffer.alloc(valueBytes);
    return await medianMs(async () => {
      await handle.write(record);
      await handle.datasync();
    });
  } finally {
    await handle.close();
    await rm(file);
  }
}

async function measureRoundTrip(): Promise<number> {
  await using server = Program.startScript("tools/raft-bench/echo.ts", []);
  const link = await Http2Link.open(Number(await server.line()));
  let answered = (): void => {};
  const id = link.open(requestHead("/echo"), { data: () => answered(), end: () => {} });
  const request = Buffer.alloc(valueBytes);
  const result = await medianMs(() => {
    const { promise, resolve } = Promise.withResolvers<void>();
    answered = resolve;
    link.send(id, request, false);
    return promise;
  });
  link.close();
  return result;
}

async function medianMs(work: () => Promise<void>): Promise<number> {
  const taken: number[] = [];
  for (let left = times; left > 0; left--) {
    const beganMs = performance.now();
    await work();
    taken.push(performance.now() - beganMs);
  }
  return percentile(Float64Array.from(taken).sort(), 0.5);
}
