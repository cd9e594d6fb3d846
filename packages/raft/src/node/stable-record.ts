import type { Identity, StableState, StableStore } from "../stable-store.ts";

/** What this node keeps in its {@link StableStore}, and the writing of it: one save at a time, each of the whole. */
export class StableRecord {
  readonly #store: StableStore;
  #state: StableState;
  #saving: Promise<void> | undefined;

  constructor(store: StableStore, state: StableState) {
    this.#store = store;
    this.#state = state;
  }

  get identity(): Identity {
    return this.#state.identity;
  }

  get state(): StableState {
    return this.#state;
  }

  /** Whether something is not durable yet. */
  get saving(): boolean {
    return this.#saving !== undefined;
  }

  /** Replaces what is kept. */
  save(state: StableState, onError: (error: unknown) => void): void {
    this.#state = state;
    const before = this.#saving ?? Promise.resolve();
    const saving = before
      .then(() => this.#store.save(state))
      .catch(onError)
      .finally(() => {
        if (this.#saving === saving) {
          this.#saving = undefined;
        }
      });
    this.#saving = saving;
  }

  /** Waits for what is being written. */
  async settle(): Promise<void> {
    await this.#saving;
  }
}
