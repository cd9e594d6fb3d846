/** Work under way beside the pump, to be waited for at the end. */
export class TaskSet {
  readonly #tasks = new Set<Promise<void>>();
  readonly #onError: (error: unknown) => void;

  /** @param onError - told of each failure */
  constructor(onError: (error: unknown) => void) {
    this.#onError = onError;
  }

  /** Begins something. */
  run(work: () => Promise<unknown>): void {
    const task: Promise<void> = work()
      .catch(this.#onError)
      .then(() => {
        this.#tasks.delete(task);
      });
    this.#tasks.add(task);
  }

  /** Resolves when nothing is under way. */
  async settle(): Promise<void> {
    while (this.#tasks.size > 0) {
      await Promise.all(this.#tasks);
    }
  }
}
