import { LevelStore } from "@mon/level-store";
import { type Corpus, inDirectory, measure, startMs } from "./corpus.ts";

/** What a report costs when so many are stored, and how long opening takes in the end. */
export interface Growth {
  readonly stages: readonly { readonly stored: number; readonly cpuUs: number; readonly perSecond: number }[];
  readonly openMs: number;
  readonly bytesPerReport: number;
}

const batch = 500;

/** Writes until so many reports are stored, and measures the last tenth before each power of ten. */
export async function growth(corpus: Corpus, parent: string, stored: number): Promise<Growth> {
  return inDirectory(parent, async (directory) => {
    const stages: Growth["stages"][number][] = [];
    let bytes = 0;
    {
      await using store = new LevelStore({ directory, now: Date.now });
      await store.open();
      let n = 0;
      const writeTo = async (end: number): Promise<void> => {
        for (; n < end; n += batch) await store.write(corpus.reports(n, Math.min(batch, end - n)));
      };
      for (let stage = 1_000; stage <= stored; stage *= 10) {
        const count = Math.max(stage / 2, batch);
        await writeTo(stage - count);
        const { ms, cpuUs } = await measure(() => writeTo(stage));
        stages.push({ stored: stage, cpuUs: cpuUs / count, perSecond: (1_000 * count) / ms });
      }
      await store.pack(startMs);
      ({ bytes } = await store.stats());
    }
    const store = new LevelStore({ directory, now: Date.now });
    const { ms: openMs } = await measure(() => store.open());
    await store.close();
    return { stages, openMs, bytesPerReport: bytes / stored };
  });
}
