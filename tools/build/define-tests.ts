import { defaultServerConditions } from "vite";
import { defineConfig, type ViteUserConfig } from "vitest/config";

/** Where each package's test run leaves its report, below the package's folder; `npm test` adds them up. */
const reportFile = ".reports/tests.json";

/**
 * The Vitest configuration that every package shares: siblings resolve to their sources, so no build comes first, and
 * the run leaves a report in JSON beside what it prints.
 *
 * @param test - what this package needs otherwise
 */
export function defineTests(test: ViteUserConfig["test"] = {}): ViteUserConfig {
  return defineConfig({
    ssr: { resolve: { conditions: ["@mon/source", ...defaultServerConditions] } },
    test: {
      include: ["test/**/*.test.ts"],
      environment: "node",
      reporters: ["default", ["json", { outputFile: reportFile }]],
      ...test,
    },
  });
}
