import { tag } from "../tag.ts";
import { fieldEnd, varintEnd } from "../wire-walk.ts";

/** Called for each sample, in order, with the two unsigned halves of its value's bits. */
export type ValueVisitor = (place: number, high: number, low: number, flags: number) => void;

/** Visits the values and flags of canonical bytes; names, labels and kinds are passed over. O(bytes), no allocation. */
export function walkValues(bytes: Uint8Array, visit: ValueVisitor): void {
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  for (let place = 0, position = 0; position < bytes.length; place++) {
    const end = fieldEnd(bytes, position);
    position = fieldEnd(bytes, varintEnd(bytes, position + 1));
    let high = 0;
    let low = 0;
    if (position < end && bytes[position] === tag.value) {
      low = view.getUint32(position + 1, true);
      high = view.getUint32(position + 5, true);
      position += 9;
    }
    while (position < end && bytes[position] === tag.labels) position = fieldEnd(bytes, position);
    if (position < end && bytes[position] === tag.kind) position = varintEnd(bytes, position + 1);
    visit(place, high, low, position < end ? varintAt(bytes, position + 1) : 0);
    position = end;
  }
}

function varintAt(bytes: Uint8Array, start: number): number {
  let value = 0;
  for (let position = start, shift = 0; ; shift += 7) {
    const byte = bytes[position++]!;
    value |= (byte & 0x7f) << shift;
    if (byte < 0x80) return value >>> 0;
  }
}
