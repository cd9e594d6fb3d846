/**
 * Work that is done in parts: it yields where others may run, and returns what came of it. Each part is of
 * {@link turnSteps} steps at most, and a little.
 */
export type InTurns<T> = Generator<undefined, T>;

/**
 * Steps of one part, where a step is a look at a number in a list: of a few milliseconds at most, so that several such
 * callers may follow one another within one turn of the event loop.
 */
export const turnSteps = 65_536;

/** What a look at a series or a value costs, in steps. */
export const lookSteps = 4;
/** What running an expression costs, in steps. */
export const expressionSteps = 64;
/** What a comparison of keys, or making one, costs, in steps. */
export const keySteps = 32;

/** Counts steps, and says when it is time to let others run. */
export class Pace {
  #left = turnSteps;

  /** @returns whether a part ends here; the next has begun then */
  isOver(steps: number): boolean {
    this.#left -= steps;
    if (this.#left > 0) return false;
    this.#left = turnSteps;
    return true;
  }
}

/** Does all parts at once. */
export function atOnce<T>(work: InTurns<T>): T {
  for (;;) {
    const { done, value } = work.next();
    if (done === true) return value;
  }
}

/** Does the parts one by one. @param breathe - lets others run */
export async function inTurns<T>(work: InTurns<T>, breathe: () => Promise<void>): Promise<T> {
  for (;;) {
    const { done, value } = work.next();
    if (done === true) return value;
    await breathe();
  }
}

/** Items in an order, as `sort` would have them; the list given is left as it is. */
export function* sorted<T>(items: readonly T[], isBefore: (a: T, b: T) => boolean, pace: Pace): InTurns<T[]> {
  let from: T[] = [];
  for (let begin = 0; begin < items.length; begin += runLength) {
    const run = items.slice(begin, begin + runLength).sort((a, b) => (isBefore(a, b) ? -1 : 1));
    for (const item of run) from.push(item);
    if (pace.isOver(runLength * keySteps)) yield;
  }
  for (let length = runLength; length < from.length; length *= 2) {
    const to: T[] = [];
    for (let begin = 0; begin < from.length; begin += 2 * length) {
      const middle = Math.min(begin + length, from.length);
      const end = Math.min(begin + 2 * length, from.length);
      for (let left = begin, right = middle; left < middle || right < end; ) {
        const takesRight = left === middle || (right < end && isBefore(from[right]!, from[left]!));
        to.push(takesRight ? from[right++]! : from[left++]!);
        if (pace.isOver(keySteps)) yield;
      }
    }
    from = to;
  }
  return from;
}

/** Items that are sorted at once. */
const runLength = 1_024;
