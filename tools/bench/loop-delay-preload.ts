/**
 * Preloaded into a process whose event loop is watched: each message from the parent ends a stretch of time, which is
 * answered with a {@link LoopDelayReading}, and begins the next.
 */
import process from "node:process";
import { isMainThread } from "node:worker_threads";
import { LoopDelay } from "./loop-delay.ts";

// Worker threads get the same preloads; theirs are not the loops in question.
if (isMainThread) {
  let delay: LoopDelay | undefined;
  process.on("message", () => {
    if (delay === undefined) {
      delay = new LoopDelay(performance.now(), cpuMs());
      setInterval(() => delay?.tick(performance.now(), cpuMs()), 1).unref();
    }
    // The stretch may end within a stall, of which no tick has told.
    delay.tick(performance.now(), cpuMs());
    process.send?.(delay.read());
    delay = new LoopDelay(performance.now(), cpuMs());
  });
  // Listening keeps the process from ending by itself; the channel to the parent must not.
  process.channel?.unref();
}

function cpuMs(): number {
  const { user, system } = process.threadCpuUsage();
  return (user + system) / 1_000;
}
