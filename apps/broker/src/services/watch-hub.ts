import { create } from "@bufbuild/protobuf";
import { type Report, ReportSchema } from "@mon/proto";
import {
  type CompiledMatchers,
  compileMatchers,
  decodeSamples,
  type Fragment,
  type Matcher,
} from "@mon/store";

/** Reports that wait for a watcher; beyond it the watcher misses reports. */
const waitingMax = 1_000;
/** Reports a message. */
const reportsPerMessage = 100;

/** What a watcher sees next. */
export interface Sighting {
  readonly reports: Report[];
  readonly missed: number;
}

/** Someone who watches. */
interface Watcher {
  readonly hostIds: ReadonlySet<string> | undefined;
  readonly matchers: CompiledMatchers;
  reports: Report[];
  missed: number;
  wake: (() => void) | undefined;
}

/** Shows reports to watchers as they are stored. Costs nothing while nobody watches. */
export class WatchHub {
  readonly #watchers = new Set<Watcher>();

  get watchers(): number {
    return this.#watchers.size;
  }

  /** Shows fragments that were just stored. A watcher that is behind misses them, and is told how many. */
  show(fragments: readonly Fragment[]): void {
    if (this.#watchers.size === 0) return;
    for (const fragment of fragments) for (const watcher of this.#watchers) showTo(watcher, fragment);
  }

  /**
   * Watches until the signal aborts, which ends the iteration.
   *
   * @throws {StoreError} STORE_MATCHER_INVALID
   */
  async *watch(
    hostIds: readonly string[] | undefined,
    matchers: readonly Matcher[],
    signal: AbortSignal,
  ): AsyncGenerator<Sighting> {
    const watcher: Watcher = {
      hostIds: hostIds && new Set(hostIds),
      matchers: compileMatchers(matchers),
      reports: [],
      missed: 0,
      wake: undefined,
    };
    signal.addEventListener("abort", () => watcher.wake?.(), { once: true });
    this.#watchers.add(watcher);
    try {
      while (!signal.aborted) {
        if (watcher.reports.length === 0) {
          await new Promise<void>((resolve) => {
            watcher.wake = resolve;
          });
          continue;
        }
        const missed = watcher.missed;
        watcher.missed = 0;
        yield { reports: watcher.reports.splice(0, reportsPerMessage), missed };
      }
    } finally {
      this.#watchers.delete(watcher);
    }
  }
}

function showTo(watcher: Watcher, fragment: Fragment): void {
  if (watcher.hostIds !== undefined && !watcher.hostIds.has(fragment.hostId)) return;
  if (!watcher.matchers.matchesHost(fragment.hostId)) return;
  if (watcher.reports.length >= waitingMax) {
    watcher.missed++;
    return;
  }
  const samples = decodeSamples(fragment.bytes).filter(watcher.matchers.matchesSeries);
  if (samples.length === 0) return;
  const { hostId, timestampMs } = fragment;
  watcher.reports.push(
    create(ReportSchema, {
      hostId,
      timestampMs: BigInt(timestampMs),
      samples: samples.map(({ name, value, labels, kind, flags }) => ({
        name,
        value,
        kind,
        flags,
        labels: [...labels],
      })),
    }),
  );
  watcher.wake?.();
}
