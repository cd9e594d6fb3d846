import fc from "fast-check";

/** A change of some bytes of a message. */
export interface Change {
  readonly kind: string;
  readonly at: number;
  readonly byte: number;
  readonly length: number;
}

/** Changes bytes of a message: flips, cuts, repeats, inserts. */
export const mutations: fc.Arbitrary<Change[]> = fc.array(
  fc.record({
    kind: fc.constantFrom("flip", "cut", "repeat", "insert"),
    at: fc.nat(),
    byte: fc.nat(255),
    length: fc.nat(12),
  }),
  { maxLength: 3 },
);

/** The bytes, changed. */
export function mutate(bytes: Uint8Array, changes: readonly Change[]): Uint8Array {
  let mutated = [...bytes];
  for (const { kind, at, byte, length } of changes) {
    const position = at % (mutated.length + 1);
    if (kind === "flip" && position < mutated.length) mutated[position] = byte;
    else if (kind === "cut") mutated = mutated.slice(0, position);
    else if (kind === "repeat") mutated.splice(position, 0, ...mutated.slice(position, position + length));
    else if (kind === "insert") mutated.splice(position, 0, byte);
  }
  return Uint8Array.from(mutated);
}
