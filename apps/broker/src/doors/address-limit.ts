import type { Socket } from "node:net";

/** Bounds the connections that a door has from one address. */
export class AddressLimit {
  readonly #max: number;
  readonly #connections = new Map<string, number>();

  constructor(max: number) {
    this.#max = max;
  }

  /** Counts a connection until it closes, or ends it at once when there are enough. @returns whether it may stay */
  admit(socket: Socket): boolean {
    const address = socket.remoteAddress ?? "";
    const connections = (this.#connections.get(address) ?? 0) + 1;
    if (connections > this.#max) {
      socket.destroy();
      return false;
    }
    this.#connections.set(address, connections);
    socket.once("close", () => {
      const left = this.#connections.get(address)! - 1;
      if (left === 0) this.#connections.delete(address);
      else this.#connections.set(address, left);
    });
    return true;
  }
}
