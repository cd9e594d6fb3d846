import { defineConfig, type Options } from "tsup";

/**
 * The tsup configuration that every package shares: ESM, declarations and source maps, one output a subpath.
 *
 * @param entry - source files, one for each subpath in the package's `exports`
 */
export function definePackage(entry: string[] = ["src/index.ts"]): ReturnType<typeof defineConfig> {
  return defineConfig({
    entry,
    format: "esm",
    target: "node22",
    platform: "node",
    dts: {
      compilerOptions: {
        noEmit: false,
        rewriteRelativeImportExtensions: false,
        allowImportingTsExtensions: true,
        // tsup sets `baseUrl`, which TypeScript 6 deprecates.
        ignoreDeprecations: "6.0",
      },
    },
    sourcemap: true,
    clean: true,
    splitting: true,
    treeshake: true,
  } satisfies Options);
}
