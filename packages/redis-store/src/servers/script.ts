import { createHash } from "node:crypto";

/** A script that servers keep by the SHA-1 of its text. */
export class Script {
  readonly source: string;
  /** In hexadecimal: what EVALSHA takes. */
  readonly sha: string;

  /** @param source - ASCII */
  constructor(source: string) {
    this.source = source;
    this.sha = createHash("sha1").update(source).digest("hex");
  }
}
