/** The parts of package-lock.json that the checks look at. */
export interface Lockfile {
  readonly lockfileVersion: number;
  readonly packages: Readonly<
    Record<string, { readonly resolved?: string; readonly link?: boolean; readonly integrity?: string }>
  >;
}

/**
 * Checks that any registry can serve the lockfile, and that what it serves is verified.
 *
 * @returns one line for each violation, empty when all is well
 */
export function lockfileViolations({ lockfileVersion, packages }: Lockfile): string[] {
  return [
    lockfileVersion === 3 ? [] : [`expected lockfileVersion 3, got ${lockfileVersion}`],
    Object.entries(packages).flatMap(([place, { resolved, link, integrity }]) => {
      if (link === true || !place.includes("node_modules/")) return [];
      return [
        resolved === undefined ? [] : [`${place}: names a download address, ${resolved}`],
        integrity === undefined ? [`${place}: has no integrity`] : [],
      ].flat();
    }),
  ].flat();
}
