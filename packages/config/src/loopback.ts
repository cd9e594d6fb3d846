import { z } from "zod";

const ipv4 = z.ipv4();
const ipv6 = z.ipv6();
const hostname = z.hostname();

/**
 * Whether an address can only be reached from this machine: 127.0.0.0/8, `::1` or `localhost`. Unusual spellings
 * (`::ffff:127.0.0.1`, `localhost.`) are not recognised, which errs on the safe side.
 */
export function isLoopback(address: string): boolean {
  if (/^localhost$/i.test(address)) return true;
  if (isIpv4(address)) return address.startsWith("127.");
  return isIpv6(address) && /^[0:]*:0*1$/.test(address);
}

/** Whether a text can be listened on: an IPv4 or IPv6 address, or a host name. */
export function isListenable(address: string): boolean {
  // Of all-numeric forms only the dotted quad is taken: systems disagree on what `127.1` means.
  const isName = hostname.safeParse(address).success && !/(^|\.)[0-9.]+$/.test(address);
  return isIpv4(address) || isIpv6(address) || isName;
}

function isIpv4(address: string): boolean {
  return ipv4.safeParse(address).success;
}

function isIpv6(address: string): boolean {
  return ipv6.safeParse(address).success;
}
