/** Values in JSON: numbers as they are; NaN and the infinities, which JSON cannot hold, as protobuf writes them. */
export function jsonNumber(value: number): number | string {
  return Number.isFinite(value) ? value : String(value);
}

/** 64-bit integers in JSON: numbers while those are exact (to 2⁵³), strings beyond. */
export function jsonInteger(value: bigint): number | string {
  const number = Number(value);
  return Number.isSafeInteger(number) ? number : value.toString();
}

/** Turns the name of a protobuf enum's value into a word: `DURABILITY_FSYNC` becomes `fsync`. */
export function enumWord(names: Readonly<Record<string, number>>, value: number): string {
  const name = Object.keys(names).find((key) => names[key] === value);
  return name === undefined ? String(value) : name.toLowerCase();
}
