/** Records for LevelDB, one after another in one buffer, so that they cross threads by handing over one piece of memory. */
export interface JoinedRecords {
  readonly bytes: Uint8Array<ArrayBuffer>;
  /** Where each key and each value ends, in turn. */
  readonly ends: Uint32Array<ArrayBuffer>;
}

/** Joins keys and values, which are given in turn. */
export function joinRecords(parts: readonly Uint8Array[]): JoinedRecords {
  let total = 0;
  for (const { length } of parts) total += length;
  const bytes = new Uint8Array(total);
  const ends = new Uint32Array(parts.length);
  let position = 0;
  for (const [index, part] of parts.entries()) {
    bytes.set(part, position);
    position += part.length;
    ends[index] = position;
  }
  return { bytes, ends };
}

/** The keys and values of joined records: views. */
export function* recordsOf({ bytes, ends }: JoinedRecords): Generator<[key: Uint8Array, value: Uint8Array]> {
  let begin = 0;
  for (let i = 0; i < ends.length; i += 2) {
    yield [bytes.subarray(begin, ends[i]), bytes.subarray(ends[i], ends[i + 1])];
    begin = ends[i + 1]!;
  }
}

/** The memory to hand over with joined records. */
export function memoryOf({ bytes, ends }: JoinedRecords): ArrayBuffer[] {
  return [bytes.buffer, ends.buffer];
}
