import type { Fragment } from "../fragment.ts";

/** The sum of fragments' ids modulo 2⁶⁴, whatever their order: with their number, it tells one set from another. */
export class IdSum {
  #high = 0;
  #low = 0;

  get high(): number {
    return this.#high;
  }

  get low(): number {
    return this.#low;
  }

  add({ idHigh, idLow }: Pick<Fragment, "idHigh" | "idLow">): void {
    const low = this.#low + idLow;
    this.#low = low >>> 0;
    this.#high = (this.#high + idHigh + (low > 0xffff_ffff ? 1 : 0)) >>> 0;
  }
}
