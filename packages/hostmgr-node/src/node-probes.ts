import type { Probes } from "@mon/hostmgr";
import { AddressChooser, type AddressPolicy } from "./checked-address.ts";
import { grpcHealthOnce } from "./grpc-probe.ts";
import { getOnce } from "./http-probe.ts";
import { runOnce, type ScriptUser } from "./script-probe.ts";
import { connectOnce } from "./tcp-probe.ts";

/** What probes may reach. */
export interface NodeProbesOptions extends AddressPolicy {
  /** Folders whose programs may be run; none without. */
  readonly scriptFolders?: readonly string[] | undefined;
  /** Whom they run as; as this process, without. Only root can give another. */
  readonly scriptUser?: ScriptUser | undefined;
  /** Scripts that run at a time, 4; others wait for them, within their own time. */
  readonly scriptsMax?: number | undefined;
}

/** Probes over this machine's sockets and processes. Each call owns what it opens, and lets go of it before it settles. */
export function createNodeProbes(options: NodeProbesOptions = {}): Probes {
  const { scriptFolders = [], scriptUser, scriptsMax = 4 } = options;
  const addresses = new AddressChooser(options);
  const turns = new Turns(scriptsMax);
  return {
    connect: async ({ host, port }, { signal }) =>
      connectOnce(await addresses.choose(host, signal), port, signal),
    get: async (text, { signal }) => {
      const url = new URL(text);
      return getOnce(url, await addresses.choose(url.hostname, signal), signal);
    },
    grpcHealth: async (target, { signal }) =>
      grpcHealthOnce(target, await addresses.choose(target.host, signal), signal),
    run: async (script, { signal }) => {
      await turns.take(signal);
      try {
        return await runOnce(script, scriptFolders, signal, scriptUser);
      } finally {
        turns.giveBack();
      }
    },
  };
}

/** So many at a time, in order. */
class Turns {
  #free: number;
  readonly #waiting = new Set<() => void>();

  constructor(max: number) {
    this.#free = max;
  }

  async take(signal: AbortSignal): Promise<void> {
    signal.throwIfAborted();
    if (this.#free > 0) {
      this.#free--;
      return;
    }
    await new Promise<void>((resolve, reject) => {
      const abort = (): void => {
        this.#waiting.delete(go);
        reject(signal.reason);
      };
      const go = (): void => {
        signal.removeEventListener("abort", abort);
        resolve();
      };
      this.#waiting.add(go);
      signal.addEventListener("abort", abort, { once: true });
    });
  }

  /** Hands the turn to who waits longest. */
  giveBack(): void {
    const [next] = this.#waiting;
    if (next === undefined) {
      this.#free++;
      return;
    }
    this.#waiting.delete(next);
    next();
  }
}
