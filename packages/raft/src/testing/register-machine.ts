import type { Entry } from "../entry.ts";
import type { FSM, FsmSnapshot } from "../fsm.ts";
import type { SequentialModel } from "./linearizability.ts";

/** A command: sets a register, or only if it holds what is expected. */
export interface RegisterCommand {
  readonly key: string;
  readonly value: string;
  readonly expected?: string | undefined;
}

/** Registers that commands in JSON set; the result is the value before, so that the order of commands shows. */
export class RegisterMachine implements FSM<string | null> {
  #values = new Map<string, string>();

  apply(entries: readonly Entry[]): (string | null)[] {
    return entries.map(({ data }) => {
      const { expected, key, value } = JSON.parse(decoder.decode(data)) as RegisterCommand;
      const before = this.#values.get(key) ?? null;
      if (expected === undefined || expected === before) {
        this.#values.set(key, value);
      }
      return before;
    });
  }

  get(key: string): string | null {
    return this.#values.get(key) ?? null;
  }

  snapshot(): FsmSnapshot {
    const image = encoder.encode(this.hash());
    return { chunks: () => [image] };
  }

  async restore(chunks: AsyncIterable<Uint8Array>): Promise<void> {
    const read: Uint8Array[] = [];
    for await (const chunk of chunks) {
      read.push(chunk);
    }
    this.#values = new Map(JSON.parse(decoder.decode(Buffer.concat(read))) as [string, string][]);
  }

  hash(): string {
    return JSON.stringify([...this.#values]);
  }
}

/** An operation on one register, as the linearizability checker sees it. */
export type RegisterInput =
  | { readonly kind: "read" }
  | { readonly kind: "write"; readonly value: string; readonly expected?: string | undefined };

/** One register: a read gives its value, a write the value before. */
export const registerModel: SequentialModel<string | null, RegisterInput, string | null> = {
  initial: null,
  apply: (state, input) => {
    if (input.kind === "read" || (input.expected !== undefined && input.expected !== state)) {
      return { state, output: state };
    }
    return { state: input.value, output: state };
  },
  fingerprint: (state) => (state === null ? "" : `=${state}`),
};

const encoder = new TextEncoder();
const decoder = new TextDecoder();
