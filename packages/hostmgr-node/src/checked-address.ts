import { lookup } from "node:dns/promises";
import { type IpRange, parseAddress, parseRange, refusalOf } from "@mon/hostmgr";
import { HostIoError } from "./errors.ts";

/** Finds the addresses of a name. */
export type Resolver = (name: string) => Promise<readonly string[]>;

/** By the system: its hosts file, then DNS. */
export const systemResolver: Resolver = async (name) =>
  (await lookup(name, { all: true, verbatim: true })).map(({ address }) => address);

/** Where may be connected to. */
export interface AddressPolicy {
  /** The only ranges that are allowed, among them loopback if it is to be; without them all but loopback and what never is. */
  readonly ranges?: readonly string[] | undefined;
  /** The system's, without. */
  readonly resolver?: Resolver | undefined;
}

/**
 * Finds the address to connect to, and looks at it: a name is resolved once, here, and what is connected to is the address that
 * was found and nothing else, so that the name cannot mean another one by then. All of a name's addresses must be allowed.
 */
export class AddressChooser {
  readonly #ranges: readonly IpRange[] | undefined;
  readonly #resolver: Resolver;

  /** @throws {RangeError} for a text that is no range */
  constructor({ ranges, resolver = systemResolver }: AddressPolicy = {}) {
    this.#ranges = ranges?.map(parseRange);
    this.#resolver = resolver;
  }

  /**
   * @param host - a name, or an address, in brackets or not
   * @returns an address
   * @throws {HostIoError} HOST_IO_REFUSED_ADDRESS, HOST_IO_NO_ADDRESS; or the signal's reason
   */
  async choose(host: string, signal: AbortSignal): Promise<string> {
    signal.throwIfAborted();
    const bare = host.startsWith("[") && host.endsWith("]") ? host.slice(1, -1) : host;
    // Colons and digits at the end are no name: what looks like an address is one, or is refused, and never asked DNS for.
    const isName =
      parseAddress(bare) === undefined && !bare.includes(":") && !/(^|\.)(\d+|0x[\da-f]*)\.?$/i.test(bare);
    const addresses = isName ? await this.#resolve(bare, signal) : [bare];
    for (const address of addresses) {
      const parsed = parseAddress(address);
      const refusal = parsed === undefined ? `${address} is no address` : refusalOf(parsed, this.#ranges);
      if (refusal !== undefined) throw new HostIoError("HOST_IO_REFUSED_ADDRESS", refusal);
    }
    const [first] = addresses;
    if (first === undefined) throw new HostIoError("HOST_IO_NO_ADDRESS", `${host} has no address`);
    return first;
  }

  async #resolve(name: string, signal: AbortSignal): Promise<readonly string[]> {
    // A lookup cannot be called off; it is not waited for any longer.
    const { promise: aborted, reject } = Promise.withResolvers<never>();
    const abort = (): void => reject(signal.reason);
    signal.addEventListener("abort", abort, { once: true });
    try {
      return await Promise.race([this.#resolver(name), aborted]);
    } catch (error) {
      if (signal.aborted) throw signal.reason;
      throw HostIoError.from(error, "HOST_IO_NO_ADDRESS");
    } finally {
      signal.removeEventListener("abort", abort);
    }
  }
}
