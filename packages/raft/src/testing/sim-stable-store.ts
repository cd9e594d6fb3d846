import type { StableState, StableStore } from "../stable-store.ts";
import { frame, type SimDisk, unframe } from "./sim-disk.ts";

/** What of a {@link SimStableStore} outlives its process. */
export interface SimStableFile {
  state: StableState | undefined;
}

/** A {@link StableStore} on a {@link SimDisk}: a new file takes the place of the old one. */
export class SimStableStore implements StableStore {
  readonly #disk: SimDisk;
  readonly #file: SimStableFile;

  constructor(disk: SimDisk, file: SimStableFile) {
    this.#disk = disk;
    this.#file = file;
  }

  async load(): Promise<StableState | undefined> {
    const tail = this.#disk.takeTail(FILE);
    const payload = tail === undefined ? undefined : unframe(tail);
    if (payload !== undefined) {
      this.#file.state = JSON.parse(new TextDecoder().decode(payload)) as StableState;
    }
    return await this.#disk.read(() => this.#file.state);
  }

  async save(state: StableState): Promise<void> {
    await this.#disk.write(FILE, {
      encode: () => frame(new TextEncoder().encode(JSON.stringify(state))),
      sync: () => {
        this.#file.state = state;
      },
    });
  }

  async close(): Promise<void> {}
}

const FILE = "stable";
