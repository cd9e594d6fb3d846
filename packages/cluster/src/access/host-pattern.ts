/** Characters of a pattern: those of host ids, and the star. */
const patternForm = /^[A-Za-z0-9._*-]{1,128}$/;

/** Stars in a pattern at most; each may cost a pass over the rest. */
const starsMax = 4;

/** @throws {RangeError} for what is no pattern of host ids */
export function assertHostPattern(pattern: string): void {
  const stars = pattern.split("*").length - 1;
  if (patternForm.test(pattern) && stars <= starsMax) return;
  throw new RangeError(
    `expected a pattern of letters, digits, dots, dashes, underscores and at most ${starsMax} stars, got ${JSON.stringify(pattern)}`,
  );
}

/**
 * Whether a host id fits a pattern, in which a star stands for any characters, or none. O(length × stars).
 *
 * @param pattern - one that {@link assertHostPattern} lets pass
 */
export function fitsPattern(pattern: string, hostId: string): boolean {
  const [head = "", ...rest] = pattern.split("*");
  if (rest.length === 0) return pattern === hostId;
  const tail = rest.pop()!;
  if (!hostId.startsWith(head) || hostId.length < head.length + tail.length || !hostId.endsWith(tail))
    return false;
  let from = head.length;
  const end = hostId.length - tail.length;
  for (const part of rest) {
    const at = hostId.indexOf(part, from);
    if (at < 0 || at + part.length > end) return false;
    from = at + part.length;
  }
  return true;
}
