import type { Database } from "./database.ts";
import { failureOf, stopped } from "./failure.ts";

/** Opens the database for the first of its users and closes it after the last. */
export class SharedDatabase {
  readonly directory: string;
  readonly #open: () => Promise<Database>;
  #opening: Promise<Database> | undefined;
  #users = 0;
  #closing: Promise<void> = Promise.resolve();

  constructor(directory: string, open: () => Promise<Database>) {
    this.directory = directory;
    this.#open = open;
  }

  async acquire(): Promise<Database> {
    this.#users++;
    this.#opening ??= this.#closing.then(this.#open);
    try {
      return await this.#opening;
    } catch (error) {
      await this.release();
      throw error;
    }
  }

  async release(): Promise<void> {
    if (--this.#users > 0) return;
    const opening = this.#opening;
    this.#opening = undefined;
    this.#closing = (async () => {
      // Whoever acquired it was told when it could not be opened.
      const database = await opening?.catch(() => undefined);
      await database?.close();
    })();
    await this.#closing;
  }
}

/** One store's hold on the database, from its first use to its `close`. */
export class Lease {
  readonly #shared: SharedDatabase;
  #database: Promise<Database> | undefined;
  #isClosed = false;

  constructor(shared: SharedDatabase) {
    this.#shared = shared;
  }

  /** @throws {RaftError} RAFT_STOPPED after {@link end}, and why it could not be opened */
  async database(): Promise<Database> {
    if (this.#isClosed) throw stopped();
    this.#database ??= this.#shared.acquire();
    try {
      return await this.#database;
    } catch (error) {
      this.#database = undefined;
      throw failureOf(error, this.#shared.directory);
    }
  }

  /** Whether it has ended. */
  get isClosed(): boolean {
    return this.#isClosed;
  }

  /** Refuses further use, waits for `idle`, then lets go. Idempotent. */
  async end(idle: () => Promise<unknown>): Promise<void> {
    if (this.#isClosed) return;
    this.#isClosed = true;
    const database = await this.#database?.catch(() => undefined);
    if (database === undefined) return;
    await idle();
    await this.#shared.release();
  }
}
