import manifest from "../package.json" with { type: "json" };

/** The broker's version, as semver. */
export const version: string = manifest.version;
