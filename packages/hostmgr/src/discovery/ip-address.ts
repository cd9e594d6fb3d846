/** An address as a number; IPv4-mapped IPv6 addresses are the IPv4 addresses that they stand for. */
export interface IpAddress {
  readonly family: 4 | 6;
  readonly value: bigint;
}

/** Reads an address: four decimal numbers without leading zeros, or IPv6 text without a zone. Undefined for anything else. */
export function parseAddress(text: string): IpAddress | undefined {
  if (text.includes(":")) return parseIpv6(text);
  const value = parseIpv4(text);
  return value === undefined ? undefined : { family: 4, value };
}

/** The usual text of an address (RFC 5952 for IPv6). */
export function formatAddress({ family, value }: IpAddress): string {
  if (family === 4) {
    return [24n, 16n, 8n, 0n].map((shift) => (value >> shift) & 0xffn).join(".");
  }
  const groups = Array.from({ length: 8 }, (_, i) => Number((value >> BigInt(112 - 16 * i)) & 0xffffn));
  const { start, length } = longestZeros(groups);
  const text = (from: number, to: number): string =>
    groups
      .slice(from, to)
      .map((group) => group.toString(16))
      .join(":");
  return length < 2 ? text(0, 8) : `${text(0, start)}::${text(start + length, 8)}`;
}

const decimal = /^(0|[1-9]\d{0,2})$/;

function parseIpv4(text: string): bigint | undefined {
  const parts = text.split(".");
  if (parts.length !== 4 || !parts.every((part) => decimal.test(part) && Number(part) <= 255))
    return undefined;
  return parts.reduce((value, part) => (value << 8n) | BigInt(part), 0n);
}

const group = /^[0-9a-f]{1,4}$/i;

function parseIpv6(text: string): IpAddress | undefined {
  const halves = text.split("::");
  if (halves.length > 2) return undefined;
  const [head, tail] = halves.map((half) => (half === "" ? [] : half.split(":")));
  const groups = [...head!, ...(tail ?? [])];
  // The last 32 bits may be written as an IPv4 address.
  const last = groups.at(-1) ?? "";
  if (last.includes(".")) {
    const value = parseIpv4(last);
    if (value === undefined) return undefined;
    const low = [(value >> 16n).toString(16), (value & 0xffffn).toString(16)];
    const where = tail === undefined || tail.length === 0 ? head! : tail;
    where.splice(-1, 1, ...low);
  }
  const count = head!.length + (tail?.length ?? 0);
  if (tail === undefined ? count !== 8 : count > 7) return undefined;
  const all = [...head!, ...Array.from({ length: 8 - count }, () => "0"), ...(tail ?? [])];
  if (!all.every((each) => group.test(each))) return undefined;
  const value = all.reduce((sum, each) => (sum << 16n) | BigInt(`0x${each}`), 0n);
  return value >> 32n === 0xffffn ? { family: 4, value: value & 0xffff_ffffn } : { family: 6, value };
}

function longestZeros(groups: readonly number[]): { start: number; length: number } {
  let best = { start: 0, length: 0 };
  for (let start = 0; start < groups.length; start++) {
    let length = 0;
    while (groups[start + length] === 0) length++;
    if (length > best.length) best = { start, length };
  }
  return best;
}
