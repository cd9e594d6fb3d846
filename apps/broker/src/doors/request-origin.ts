import { isIP } from "node:net";

/**
 * Whether a `Host` header may be answered: an address, `localhost` or a name of this machine. Any other name may be one
 * that a page elsewhere has pointed at this address to get around the same-origin rule.
 */
export function isAllowedHost(header: string | undefined, names: readonly string[]): boolean {
  if (header === undefined) return false;
  const name = header
    .replace(/:\d+$/, "")
    .replace(/^\[(.*)\]$/, "$1")
    .toLowerCase();
  return name === "localhost" || isIP(name) !== 0 || names.some((known) => known.toLowerCase() === name);
}

/** Whether an `Origin` header, which browsers send with what pages ask for, is that of the page itself. */
export function isSameOrigin(origin: string | undefined, host: string | undefined): boolean {
  if (origin === undefined) return true;
  return URL.canParse(origin) && new URL(origin).host === host;
}
