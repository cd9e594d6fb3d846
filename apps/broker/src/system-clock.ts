import type { Clock } from "@mon/intake";
import type { Clock as RaftClock } from "@mon/raft";

/** The machine's clock. */
export const systemClock: Clock = {
  now: () => Date.now(),
  setTimeout(callback, delayMs) {
    const timer = setTimeout(callback, delayMs);
    return { cancel: () => clearTimeout(timer) };
  },
};

/** The same, as Raft wants it. */
export const raftClock: RaftClock = {
  ...systemClock,
  setImmediate(callback) {
    const immediate = setImmediate(callback);
    return { cancel: () => clearImmediate(immediate) };
  },
};
