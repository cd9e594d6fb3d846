import { slotCount } from "./servers.ts";

/** CRC-16/XMODEM, as Redis Cluster uses it. */
const table = Uint16Array.from({ length: 256 }, (_, byte) => {
  let crc = byte << 8;
  for (let bit = 0; bit < 8; bit++) crc = crc & 0x8000 ? (crc << 1) ^ 0x1021 : crc << 1;
  return crc;
});

/**
 * The slot of a hash tag, or of a key that has none: of what lies between the first `{` and the next `}` of a key. Host
 * ids hold no braces, so the slot of all keys with `{hostId}` is that of the id.
 *
 * @param tag - in Latin-1
 * @see https://redis.io/docs/latest/operate/oss_and_stack/reference/cluster-spec/#hash-tags
 */
export function slotOf(tag: string): number {
  let crc = 0;
  for (let i = 0; i < tag.length; i++)
    crc = ((crc << 8) & 0xffff) ^ table[((crc >> 8) ^ tag.charCodeAt(i)) & 0xff]!;
  return crc % slotCount;
}

/** The shortest decimal number whose slot is this one: a hash tag that leads there. Made once, 16,384 entries. */
export function tagOf(slot: number): string {
  if (tags.length === 0) {
    let missing = slotCount;
    for (let i = 0; missing > 0; i++) {
      const at = slotOf(String(i));
      if (tags[at] !== undefined) continue;
      tags[at] = String(i);
      missing--;
    }
  }
  return tags[slot]!;
}

const tags: string[] = [];
