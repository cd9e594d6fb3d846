import { formatAddress, type IpAddress, parseAddress } from "./ip-address.ts";

/** Addresses that share a prefix. */
export interface IpRange {
  readonly family: 4 | 6;
  readonly first: bigint;
  readonly last: bigint;
}

/** Reads `address/bits`, or a lone address. @throws {RangeError} with the text when it is neither */
export function parseRange(text: string): IpRange {
  const [address = "", bitsText, ...rest] = text.split("/");
  const parsed = parseAddress(address);
  const width = parsed?.family === 4 ? 32 : 128;
  const bits = bitsText === undefined ? width : /^\d{1,3}$/.test(bitsText) ? Number(bitsText) : Number.NaN;
  if (parsed === undefined || rest.length > 0 || !(bits <= width)) {
    throw new RangeError(`expected an address or a range such as 10.0.0.0/24, got ${JSON.stringify(text)}`);
  }
  const { family, value } = parsed;
  const size = 1n << BigInt(width - bits);
  const first = value - (value % size);
  return { family, first, last: first + size - 1n };
}

/** Whether an address is in a range. */
export function isInRange({ family, value }: IpAddress, range: IpRange): boolean {
  return family === range.family && value >= range.first && value <= range.last;
}

const ranges = (texts: readonly string[]): readonly IpRange[] => texts.map(parseRange);

/** What answers there tells secrets to whoever asks, or is not a host of anybody's: nothing of ours goes there, ever. */
const forbidden = ranges([
  "0.0.0.0/8",
  "169.254.0.0/16",
  "224.0.0.0/4",
  "240.0.0.0/4",
  "100.100.100.200",
  "192.0.0.192",
  "::",
  "fe80::/10",
  "ff00::/8",
  "fd00:ec2::/32",
]);

const loopback = ranges(["127.0.0.0/8", "::1"]);

/**
 * Why nothing may be sent to an address, or undefined when something may. Link-local addresses, where clouds keep their
 * metadata, and multicast are never allowed; loopback only where it is named.
 *
 * @param named - ranges that somebody has written down; without them only loopback is left out besides
 */
export function refusalOf(address: IpAddress, named?: readonly IpRange[]): string | undefined {
  const text = formatAddress(address);
  if (forbidden.some((range) => isInRange(address, range)))
    return `${text} is link-local, multicast or reserved`;
  if (named !== undefined) {
    return named.some((range) => isInRange(address, range))
      ? undefined
      : `${text} is in none of the ranges that are allowed`;
  }
  return loopback.some((range) => isInRange(address, range)) ? `${text} is loopback` : undefined;
}
